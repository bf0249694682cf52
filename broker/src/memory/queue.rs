use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use tokio::time::Instant;

use crate::{Message, message::names};

/// One queue's entries. Each is in exactly one of `ready`, `delayed` and `claims`.
#[derive(Debug, Default)]
pub(super) struct Slots {
    entries: BTreeMap<u64, Entry>,
    /// Entries whose time has come, in the order of delivery.
    ready: BTreeSet<(Rank, u64)>,
    /// The same in the order in which their time came.
    waiting: BTreeSet<(Instant, u64)>,
    /// Entries whose time has not.
    delayed: BTreeSet<(Instant, u64)>,
    claims: BTreeMap<u64, Claim>,
}

/// Higher priorities first.
pub(super) type Rank = Reverse<u8>;

#[derive(Debug)]
struct Entry {
    message: Message,
    /// Deliveries that ended with their worker's death, those of earlier copies included.
    deaths: u32,
    due: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    entry: u64,
    process: u64,
    suspect: bool,
}

impl Slots {
    pub(super) fn push(&mut self, sequence: u64, message: Message, due: Instant) {
        let deaths = message.headers.int(names::DELIVERIES).and_then(|deaths| u32::try_from(deaths).ok()).unwrap_or(0);
        self.delayed.insert((due, sequence));
        self.entries.insert(sequence, Entry { message, deaths, due });
        self.promote();
    }

    /// Makes ready what is due.
    pub(super) fn promote(&mut self) {
        let now = Instant::now();
        while let Some(&(due, sequence)) = self.delayed.first()
            && due <= now
        {
            self.delayed.pop_first();
            self.make_ready(sequence);
        }
    }

    fn make_ready(&mut self, sequence: u64) {
        if let Some(entry) = self.entries.get(&sequence) {
            self.ready.insert((Reverse(entry.message.priority()), sequence));
            self.waiting.insert((entry.due, sequence));
        }
    }

    /// Gives the next entry to `process`: its message, and which delivery this is; or when to ask again.
    pub(super) fn claim(
        &mut self,
        claim: u64,
        process: u64,
        isolate_after: u32,
    ) -> Result<(Message, u32), Option<Instant>> {
        self.promote();
        let isolating = self.claims.values().any(|claim| claim.suspect && claim.process == process);
        let mut candidates = self.ready.iter().filter_map(|slot| Some((*slot, self.entries.get(&slot.1)?)));
        match candidates.find(|(_, entry)| !isolating || entry.deaths < isolate_after) {
            Some((slot, entry)) => {
                let suspect = entry.deaths >= isolate_after;
                let delivered = (entry.message.clone(), entry.deaths.saturating_add(1));
                self.ready.remove(&slot);
                self.waiting.remove(&(entry.due, slot.1));
                self.claims.insert(claim, Claim { entry: slot.1, process, suspect });
                Ok(delivered)
            }
            None => Err(self.delayed.first().map(|(due, _)| *due)),
        }
    }

    /// Removes a claimed entry. `false`: the claim is gone.
    pub(super) fn settle(&mut self, claim: u64) -> bool {
        self.claims.remove(&claim).is_some_and(|claim| self.entries.remove(&claim.entry).is_some())
    }

    /// Puts a claimed entry back where it was, its worker's death counted.
    pub(super) fn unclaim(&mut self, claim: u64) {
        if let Some(claim) = self.claims.remove(&claim) {
            if let Some(entry) = self.entries.get_mut(&claim.entry) {
                entry.deaths = entry.deaths.saturating_add(1);
            }
            self.make_ready(claim.entry);
        }
    }

    /// Puts back what `process` holds.
    pub(super) fn bury(&mut self, process: u64) {
        let held: Vec<u64> =
            self.claims.iter().filter(|(_, claim)| claim.process == process).map(|(claim, _)| *claim).collect();
        for claim in held {
            self.unclaim(claim);
        }
    }

    /// The ready entries in the order of delivery.
    pub(super) fn ready(&self) -> impl Iterator<Item = (Rank, u64)> {
        self.ready.iter().copied()
    }

    pub(super) fn message(&self, sequence: u64) -> Option<&Message> {
        Some(&self.entries.get(&sequence)?.message)
    }

    pub(super) fn remove_ready(&mut self, slot: (Rank, u64)) {
        self.ready.remove(&slot);
        if let Some(entry) = self.entries.remove(&slot.1) {
            self.waiting.remove(&(entry.due, slot.1));
        }
    }

    pub(super) fn counts(&self) -> (usize, usize, usize) {
        (self.ready.len(), self.delayed.len(), self.claims.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When the oldest ready entry became ready.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, _)| *due)
    }
}
