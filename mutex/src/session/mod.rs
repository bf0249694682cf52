//! One process's part: what it holds, what it waits for, and the thread that looks after both.

mod acquire;
mod held;
mod release;
mod renewer;
mod table;
mod thread;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub use self::acquire::{Place, Taken, Ticket};
pub(crate) use self::held::Held;
use self::{acquire::Abandon, table::Table, thread::Thread};
use crate::{
    Error, Owner, Released,
    clock::Boot,
    stats::{Counts, LocksStats},
    store::{Ask, LeaseId, LeaseStore, ProcessId},
};

/// What a session was told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The name under which it is shown.
    pub(crate) worker: String,
    /// How long a lease lasts from each renewal, unless its lock says otherwise.
    pub(crate) ttl: Duration,
    /// The longest ttl that may be asked for.
    pub(crate) max_ttl: Duration,
    /// How long one who waits bears a store that does not answer.
    pub(crate) patience: Duration,
}

/// One process's part.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) store: Arc<dyn LeaseStore>,
    pub(crate) process: ProcessId,
    pub(crate) settings: Settings,
    pub(crate) counts: Arc<Counts>,
    table: Arc<Table>,
    thread: Thread,
    last: AtomicU64,
    /// The names, and numbers of leases, about which this program was told that the store differs.
    told: Mutex<HashSet<(String, u32)>>,
}

impl Session {
    pub(crate) fn new(store: Arc<dyn LeaseStore>, settings: Settings) -> Self {
        let (table, counts) = (Arc::new(Table::default()), Arc::new(Counts::default()));
        let process = ProcessId::random();
        let thread = Thread::new(store.clone(), process.clone(), table.clone(), counts.clone(), settings.patience);
        Self { store, process, settings, counts, table, thread, last: AtomicU64::new(0), told: Mutex::default() }
    }

    /// An id for one attempt.
    pub(crate) fn next_lease(&self) -> LeaseId {
        LeaseId::numbered(&self.process, self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    pub(crate) fn owner(&self) -> Owner {
        Owner::worker(self.settings.worker.clone())
    }

    /// Starts the thread where it does not run yet: the store must know the process before anything is asked in its name.
    pub(crate) fn ready(&self) -> Result<(), Error> {
        self.thread.start()
    }

    /// Keeps and renews what was granted.
    fn hold(&self, held: Arc<Held>) {
        if self.table.hold(held) {
            self.thread.wake();
        }
    }

    /// Gives a lease back and waits for the answer.
    pub(crate) async fn release(&self, held: &Held) -> Result<Released, Error> {
        if !self.table.remove(&held.ask.lease) {
            return Ok(Released::AlreadyLost);
        }
        let valid = held.check();
        held.end();
        // What this call does not tell the store, the thread does.
        let abandon = Abandon::new(self, held.ask.clone());
        let key = &held.ask.key;
        let done = release::release(&*self.store, &self.process, &self.table, key, &held.ask.lease).await?;
        abandon.disarm();
        for lease in done.unwanted {
            self.thread.release(key.clone(), lease);
        }
        if done.wake {
            self.thread.wake();
        }
        Ok(if done.found && valid { Released::Ok } else { Released::AlreadyLost })
    }

    /// Gives a lease back without waiting, unless that was done.
    pub(crate) fn let_go(&self, held: &Held) {
        if self.table.remove(&held.ask.lease) {
            held.count();
            self.thread.release(held.ask.key.clone(), held.ask.lease.clone());
        }
    }

    /// Lets the thread release whatever was asked for.
    fn abandon(&self, ask: &Ask) {
        self.table.remove(&ask.lease);
        self.thread.release(ask.key.clone(), ask.lease.clone());
    }

    pub(crate) fn check_ttl(&self, ttl: Duration) -> Result<(), Error> {
        let max = self.settings.max_ttl;
        if ttl < Duration::from_millis(100) || ttl > max { Err(Error::invalid_ttl(ttl, max)) } else { Ok(()) }
    }

    /// What was done so far.
    pub(crate) fn stats(&self) -> LocksStats {
        let held = self.table.held();
        let now = Boot::now();
        self.counts.read(|name| {
            let counted = held.iter().filter(|held| Arc::ptr_eq(&held.counts, name));
            counted.map(|held| now.left(held.since)).max()
        })
    }

    /// Releases everything and stops the thread.
    pub(crate) async fn close(&self) {
        self.thread.close().await;
    }
}
