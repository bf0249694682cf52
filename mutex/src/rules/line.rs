use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    time::Duration,
};

use super::Micros;
use crate::{
    Owner,
    store::{LeaseId, ProcessId},
};

/// One who waits for a lease.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// Its place: the lowest is served first.
    pub rank: u64,
    /// Its lease, to be.
    pub lease: LeaseId,
    /// Whom to tell.
    pub process: ProcessId,
    /// How many leases it wants.
    pub weight: u32,
    /// For how long.
    pub ttl: Duration,
    /// When it began to wait.
    pub since: Micros,
    /// When it leaves the queue unless it is renewed.
    pub until: Micros,
    /// When a parked place is due back; `None` for one that waits to be told.
    pub due: Option<Micros>,
    /// Who it is.
    pub owner: Owner,
}

/// Those who wait for one lock: the live ones, who are told, and the parked ones, who come back by themselves.
pub trait Line {
    /// What can go wrong with it.
    type Error;

    /// The entry of that id.
    fn get(&mut self, lease: &LeaseId) -> Result<Option<Waiting>, Self::Error>;
    /// Adds an entry, or replaces the one of that id.
    fn put(&mut self, waiting: Waiting) -> Result<(), Self::Error>;
    /// Removes the entry of that id.
    fn remove(&mut self, lease: &LeaseId) -> Result<Option<Waiting>, Self::Error>;
    /// The live entry of the lowest rank.
    fn first_live(&mut self) -> Result<Option<Waiting>, Self::Error>;
    /// The parked entry of the lowest rank.
    fn first_parked(&mut self) -> Result<Option<Waiting>, Self::Error>;
    /// How many live entries have a lower rank.
    fn live_before(&mut self, rank: u64) -> Result<u64, Self::Error>;
    /// How many parked entries have a lower rank.
    fn parked_before(&mut self, rank: u64) -> Result<u64, Self::Error>;
    /// Removes at most `limit` entries whose time was over at `now`.
    fn remove_stale(&mut self, now: Micros, limit: usize) -> Result<(), Self::Error>;
}

/// A line in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MemoryLine {
    live: BTreeMap<u64, LeaseId>,
    parked: BTreeMap<u64, LeaseId>,
    entries: HashMap<LeaseId, Waiting>,
}

impl MemoryLine {
    /// Everybody, in the order of their ranks.
    pub fn in_order(&self) -> Vec<&Waiting> {
        let mut all: Vec<_> = self.entries.values().collect();
        all.sort_by_key(|waiting| waiting.rank);
        all
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn ranks(&mut self, parked: bool) -> &mut BTreeMap<u64, LeaseId> {
        if parked { &mut self.parked } else { &mut self.live }
    }

    fn first(&self, ranks: &BTreeMap<u64, LeaseId>) -> Option<Waiting> {
        self.entries.get(ranks.first_key_value()?.1).cloned()
    }
}

impl Line for MemoryLine {
    type Error = Infallible;

    fn get(&mut self, lease: &LeaseId) -> Result<Option<Waiting>, Infallible> {
        Ok(self.entries.get(lease).cloned())
    }

    fn put(&mut self, waiting: Waiting) -> Result<(), Infallible> {
        self.remove(&waiting.lease)?;
        self.ranks(waiting.due.is_some()).insert(waiting.rank, waiting.lease.clone());
        self.entries.insert(waiting.lease.clone(), waiting);
        Ok(())
    }

    fn remove(&mut self, lease: &LeaseId) -> Result<Option<Waiting>, Infallible> {
        let removed = self.entries.remove(lease);
        if let Some(waiting) = &removed {
            self.ranks(waiting.due.is_some()).remove(&waiting.rank);
        }
        Ok(removed)
    }

    fn first_live(&mut self) -> Result<Option<Waiting>, Infallible> {
        Ok(self.first(&self.live))
    }

    fn first_parked(&mut self) -> Result<Option<Waiting>, Infallible> {
        Ok(self.first(&self.parked))
    }

    fn live_before(&mut self, rank: u64) -> Result<u64, Infallible> {
        Ok(self.live.range(..rank).count() as u64)
    }

    fn parked_before(&mut self, rank: u64) -> Result<u64, Infallible> {
        Ok(self.parked.range(..rank).count() as u64)
    }

    fn remove_stale(&mut self, now: Micros, limit: usize) -> Result<(), Infallible> {
        let mut stale: Vec<_> = self
            .entries
            .values()
            .filter(|waiting| waiting.until <= now)
            .map(|waiting| (waiting.until, waiting.rank, waiting.lease.clone()))
            .collect();
        stale.sort();
        for (_, _, lease) in stale.into_iter().take(limit) {
            self.remove(&lease)?;
        }
        Ok(())
    }
}
