//! What is modelled, and how far.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use celeriac_mutex::{
    Kind, LockKey, Owner,
    rules::Micros,
    store::{Ask, LeaseId, ProcessId, Queueing},
};

use super::{client::Client, ghost::Ghost, mutants::Mutant, store::Store};

/// One step of the clock: 500 ms, which is also what a hand-off lasts until it is confirmed.
pub(crate) const TICK: Micros = 500_000;
/// How long leases last, and the longest that they may: two steps of the clock.
pub(crate) const TTL: Duration = Duration::from_secs(1);
/// When the store's clock begins.
pub(crate) const BEGIN: Micros = 100 * TICK;

/// How much of what may happen, happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    /// Steps of the clock.
    pub(crate) ticks: u8,
    /// Requests that are not answered at the instant they are sent.
    pub(crate) slow: u8,
    /// Of those, how many their sender no longer waits for: a request may still arrive, a reply is lost.
    pub(crate) lost: u8,
    pub(crate) crashes: u8,
    pub(crate) amnesias: u8,
    /// Pauses in which all waiters are forgotten.
    pub(crate) nights: u8,
}

pub(crate) const NOTHING: Bounds = Bounds { ticks: 0, slow: 0, lost: 0, crashes: 0, amnesias: 0, nights: 0 };

/// One lock, three clients, and what may happen to them.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) capacity: u32,
    pub(crate) weights: [u32; 3],
    /// Whether each stands in line, or takes what is free.
    pub(crate) waits: [bool; 3],
    /// How often each asks.
    pub(crate) attempts: [u8; 3],
    /// The process of each.
    pub(crate) homes: [usize; 3],
    pub(crate) bounds: Bounds,
    pub(crate) mutant: Option<Mutant>,
    asks: [Vec<Arc<Ask>>; 3],
    /// What was reached, anywhere.
    pub(crate) seen: Arc<Mutex<BTreeSet<&'static str>>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) clients: [Client; 3],
    pub(crate) left: Bounds,
    pub(crate) ghost: Ghost,
    /// A claim that the last step of the store broke.
    pub(crate) broken: Option<&'static str>,
}

impl World {
    pub(crate) fn new(capacity: u32, weights: [u32; 3], attempts: [u8; 3], bounds: Bounds) -> Self {
        Self::of_processes([0, 1, 2], capacity, weights, attempts, bounds)
    }

    /// Several of its clients may be of one process.
    pub(crate) fn of_processes(
        homes: [usize; 3],
        capacity: u32,
        weights: [u32; 3],
        attempts: [u8; 3],
        bounds: Bounds,
    ) -> Self {
        let asks = [0, 1, 2].map(|client| {
            (0..=attempts[client])
                .map(|attempt| {
                    Arc::new(Ask {
                        key: LockKey::new(if capacity == 1 { Kind::Mutex } else { Kind::Semaphore }, "m"),
                        lease: lease_of(client, attempt),
                        process: ProcessId::from(["0", "1", "2"][homes[client]]),
                        leases: capacity,
                        weight: weights[client],
                        ttl: TTL,
                        queueing: Queueing::Wait,
                        place: None,
                        fair: true,
                        owner: Owner::default(),
                    })
                })
                .collect()
        });
        let seen = Arc::default();
        Self { capacity, weights, waits: [true; 3], attempts, homes, bounds, mutant: None, asks, seen }
    }

    /// The third client does not stand in line.
    pub(crate) fn with_a_passer_by(self) -> Self {
        Self { waits: [true, true, false], ..self }
    }

    pub(crate) fn begin(&self) -> State {
        State {
            store: Store::new(BEGIN),
            clients: [0, 1, 2].map(|at| Client { like: self.like(at), ..Client::default() }),
            left: self.bounds,
            ghost: Ghost::default(),
            broken: None,
        }
    }

    pub(crate) fn ask(&self, client: usize, attempt: u8) -> Arc<Ask> {
        let ask = &self.asks[client][usize::from(attempt)];
        if self.waits[client] { ask.clone() } else { Arc::new(Ask { queueing: Queueing::No, ..(**ask).clone() }) }
    }

    /// Whether two clients are of one process.
    pub(crate) fn at_home(&self, one: usize, other: usize) -> bool {
        self.homes[one] == self.homes[other]
    }

    /// The first client that may do what this one may: those are told apart by what they have done alone.
    fn like(&self, at: usize) -> usize {
        let neighbours = |at: usize| (0..3).filter(|other| self.at_home(at, *other)).count();
        let traits = |at: usize| (self.weights[at], self.waits[at], self.attempts[at], neighbours(at));
        (0..3).find(|other| traits(*other) == traits(at)).unwrap_or(at)
    }

    /// Says that something was reached.
    pub(crate) fn saw(&self, what: &'static str) {
        self.seen.lock().unwrap().insert(what);
    }

    pub(crate) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }
}

/// The lease of a client's attempt.
pub(crate) fn lease_of(client: usize, attempt: u8) -> LeaseId {
    LeaseId::from(format!("{client}.{attempt:x}"))
}

/// The attempt that it was asked by.
pub(crate) fn attempt_of(lease: &LeaseId) -> u8 {
    u8::from_str_radix(&lease.as_str()[2..], 16).unwrap()
}

/// Whose lease it is.
pub(crate) fn client_of(lease: &LeaseId) -> usize {
    usize::from(lease.as_str().as_bytes()[0] - b'0')
}
