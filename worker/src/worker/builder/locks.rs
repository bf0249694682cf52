use std::collections::HashSet;

use celeriac_broker::{Broker, DeclaredLock, TaskOptions};
use celeriac_mutex::Locks;

use super::WorkerBuilder;
use crate::{
    Error,
    leases::{Home, check_declared},
};

impl<S: Send + Sync + 'static> WorkerBuilder<S> {
    /// Where the tasks' leases are kept: `redis://..`, `sqlite://..` or `memory://`. Default: `CELERIAC_LOCKS_URL`, else the broker's own
    /// file where it is one, and its memory where it has no other.
    ///
    /// RabbitMQ keeps none: a worker whose tasks hold locks is refused there without an address. It takes the place of
    /// [`locks`](Self::locks).
    pub fn locks_url(mut self, url: &str) -> Self {
        self.locks_url = Some(url.to_owned());
        self.locks = None;
        self
    }

    /// Locks that are already there, instead of an address. They stay open when the worker ends.
    pub fn locks(mut self, locks: Locks) -> Self {
        self.locks = Some(locks);
        self.locks_url = None;
        self
    }

    /// Where leases are kept; refused where tasks of the worker's queues need it and there is none.
    pub(super) fn home(&self, broker: &Broker, queues: &HashSet<&str>) -> Result<Option<Home>, Error> {
        let runs = |queue: Option<&str>| queues.contains(queue.unwrap_or(TaskOptions::DEFAULT_QUEUE));
        let locking = self.registry.iter().filter(|runnable| runs(runnable.options().queue));
        let mut declared: Vec<(&'static str, DeclaredLock)> =
            locking.flat_map(|runnable| runnable.declared().iter().map(|lock| (runnable.name(), *lock))).collect();
        declared.sort_by_key(|(task, _)| *task);
        check_declared(&declared)?;
        let home = Home::choose(self.locks.clone(), self.locks_url.clone(), broker, &declared)?;
        match (home, declared.first()) {
            (None, Some((task, _))) => Err(Error::NoLocks { task: (*task).to_owned() }),
            (home, _) => Ok(home),
        }
    }
}
