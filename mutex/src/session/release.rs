//! Giving back, and taking in what that hands to others who wait in this process.

use std::{sync::Arc, time::Duration};

use super::{
    Held,
    table::{Entry, Inner, Table, Turn, What, interval},
};
use crate::{
    Error, LockKey,
    clock::Boot,
    store::{Granted, LeaseId, LeaseStore, ProcessId, Release},
};

/// What is left to do after a release.
#[derive(Debug)]
pub(super) struct Done {
    /// Whether what was released was there.
    pub(super) found: bool,
    /// What was handed to those who want it no longer: to be released in turn.
    pub(super) unwanted: Vec<LeaseId>,
    /// Whether the thread must look sooner than it would.
    pub(super) wake: bool,
}

/// Gives a lease back, or leaves the line; who waits here is told what that has handed to it.
///
/// Where the answer was lost (the call failed, or was made again by the store, or its future was dropped), nobody knows what was handed to
/// whom. So what has failed is to be released again; and as that finds nothing if the first one had happened, a release that finds nothing
/// has all of the lock's waiters here looked at.
pub(super) async fn release(
    store: &dyn LeaseStore,
    process: &ProcessId,
    table: &Table,
    key: &LockKey,
    lease: &LeaseId,
) -> Result<Done, Error> {
    let sent = Boot::now();
    let release = store.release(key, lease, process).await?;
    Ok(table.take_in(key, sent, release))
}

impl Table {
    /// Takes in the answer to a release that was sent at `sent`.
    fn take_in(&self, key: &LockKey, sent: Boot, release: Release) -> Done {
        let mut inner = self.lock();
        let mut done = Done { found: release.found, unwanted: Vec::new(), wake: false };
        for handed in release.handed {
            match inner.grant(&handed.lease, handed.granted, sent) {
                Some(sooner) => done.wake |= sooner,
                None => done.unwanted.push(handed.lease),
            }
        }
        if let Some((head, after)) = release.look {
            match inner.look_in(&head, after) {
                Some(sooner) => done.wake |= sooner,
                None => done.unwanted.push(head),
            }
        }
        if !release.found {
            for lease in inner.waiting_for(key) {
                done.wake |= inner.look_in(&lease, Duration::ZERO) == Some(true);
            }
        }
        done
    }
}

impl Inner {
    /// Makes a waiter a holder by the answer to a question that was sent at `sent`, and tells it: whether the thread must look sooner than it
    /// would, or `None` where nobody wants the lease any more.
    pub(super) fn grant(&mut self, lease: &LeaseId, granted: Granted, sent: Boot) -> Option<bool> {
        let entry = self.entries.get_mut(lease)?;
        if !entry.grant(granted, sent) {
            self.entries.remove(lease);
            return None;
        }
        let due = entry.due;
        Some(self.wants(due))
    }

    fn waiting_for(&self, key: &LockKey) -> Vec<LeaseId> {
        let waits = |entry: &Entry| matches!(&entry.what, What::Waiting(waiter) if waiter.ask.key == *key);
        self.entries.iter().filter(|(_, entry)| waits(entry)).map(|(lease, _)| lease.clone()).collect()
    }
}

impl Entry {
    /// `false` where its waiter was given up at this very moment.
    fn grant(&mut self, granted: Granted, sent: Boot) -> bool {
        let What::Waiting(waiter) = &self.what else { return true };
        let (turn, ask) = (waiter.turn.clone(), waiter.ask.clone());
        self.due = Boot::now().plus(interval(ask.ttl));
        let held = Arc::new(Held::new(ask, granted, sent, waiter.counts.clone()));
        self.what = What::Held(held.clone());
        turn.send(Turn::Granted(held)).is_ok()
    }
}
