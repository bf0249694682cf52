use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::mpsc;

use super::Held;
use crate::{
    Error,
    clock::Boot,
    stats::NameCounts,
    store::{Ask, LeaseId, Renewal, WAITER_TTL},
};

/// What this process holds and waits for.
///
/// A lock of the standard library: it is held for operations on the map, never over an await.
#[derive(Debug, Default)]
pub(super) struct Table(Mutex<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) entries: HashMap<LeaseId, Entry>,
    /// When the thread will look through all entries next: nothing is due before.
    pub(super) next: Boot,
    /// What is due at once, for somebody has told us. A hand-off among thousands who wait must not cost a look through all of them.
    pub(super) urgent: Vec<LeaseId>,
}

impl Default for Inner {
    fn default() -> Self {
        Self { entries: HashMap::new(), next: Boot::NEVER, urgent: Vec::new() }
    }
}

/// Something to be renewed.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) what: What,
    /// When it is to be renewed.
    pub(super) due: Boot,
    /// A renewal is on its way.
    pub(super) in_flight: bool,
    /// A hint came while a renewal was on its way.
    pub(super) again: bool,
}

#[derive(Debug)]
pub(super) enum What {
    Held(Arc<Held>),
    Waiting(Waiter),
}

/// One who waits for its turn.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) ask: Arc<Ask>,
    /// Unbounded, because the thread waits for nobody; a store that forgets a waiter tells it so each time that it renews.
    pub(super) turn: mpsc::UnboundedSender<Turn>,
    pub(super) counts: Arc<NameCounts>,
    /// Since when the store has not answered.
    pub(super) failing_since: Option<Boot>,
}

/// What a waiter is told.
#[derive(Debug)]
pub(super) enum Turn {
    Granted(Arc<Held>),
    /// The store no longer knows of it.
    AskAgain,
    /// In a box: room for a few turns is made for each waiter.
    Failed(Box<Error>),
}

impl Table {
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a lease; `true` where the thread must look sooner than it would.
    pub(super) fn hold(&self, held: Arc<Held>) -> bool {
        let due = Boot::now().plus(interval(held.ask.ttl)).min(held.lost_at());
        self.add(held.ask.lease.clone(), What::Held(held), due)
    }

    /// Adds a waiter, whose question is about to be sent.
    pub(super) fn wait(&self, waiter: Waiter) -> bool {
        let due = Boot::now().plus(interval(waiter.ask.ttl.min(WAITER_TTL)));
        self.add(waiter.ask.lease.clone(), What::Waiting(waiter), due)
    }

    fn add(&self, lease: LeaseId, what: What, due: Boot) -> bool {
        let mut inner = self.lock();
        inner.entries.insert(lease, Entry { what, due, in_flight: false, again: false });
        inner.wants(due)
    }

    /// Renews an entry no later than in `after`: whether the thread must look sooner than it would, or `None` where there is none.
    pub(super) fn look_in(&self, lease: &LeaseId, after: Duration) -> Option<bool> {
        self.lock().look_in(lease, after)
    }

    /// What is held.
    pub(super) fn held(&self) -> Vec<Arc<Held>> {
        let held = |entry: &Entry| match &entry.what {
            What::Held(held) => Some(held.clone()),
            What::Waiting(_) => None,
        };
        self.lock().entries.values().filter_map(held).collect()
    }

    /// Whether it was there.
    pub(super) fn remove(&self, lease: &LeaseId) -> bool {
        self.lock().entries.remove(lease).is_some()
    }
}

impl Inner {
    /// As [`Table::look_in`].
    pub(super) fn look_in(&mut self, lease: &LeaseId, after: Duration) -> Option<bool> {
        let due = Boot::now().plus(after);
        let entry = self.entries.get_mut(lease)?;
        entry.due = entry.due.min(due);
        if entry.in_flight {
            entry.again = true;
            return Some(false);
        }
        if after.is_zero() {
            self.urgent.push(lease.clone());
            return Some(true);
        }
        Some(self.wants(due))
    }

    /// An entry is due by then: whether the thread must look sooner than it would.
    pub(super) fn wants(&mut self, due: Boot) -> bool {
        let sooner = due < self.next;
        self.next = self.next.min(due);
        sooner
    }
}

impl Entry {
    /// Whether it is to be renewed at all, and no renewal is on its way.
    pub(super) fn is_renewable(&self, now: Boot) -> bool {
        !self.in_flight
            && match &self.what {
                What::Held(held) => now < held.renew_until() && now < held.lost_at(),
                What::Waiting(_) => true,
            }
    }

    pub(super) fn renewal(&self, now: Boot) -> Renewal {
        match &self.what {
            What::Held(held) => {
                let reassert = held.reason.get().is_none() && now < held.lost_at();
                Renewal { ask: held.ask.clone(), fence: Some(held.fence), reassert }
            }
            What::Waiting(waiter) => Renewal { ask: waiter.ask.clone(), fence: None, reassert: false },
        }
    }

    pub(super) fn ttl(&self) -> Duration {
        match &self.what {
            What::Held(held) => held.ask.ttl,
            // A third of it is also how soon one behind a head that is away looks for itself.
            What::Waiting(waiter) => waiter.ask.ttl.min(WAITER_TTL),
        }
    }
}

/// How long from one renewal to the next: a third of the ttl, give or take a tenth, so that processes do not beat in step.
pub(super) fn interval(ttl: Duration) -> Duration {
    (ttl / 3).mul_f64(rand::random_range(0.9..1.1))
}
