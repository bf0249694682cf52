use std::time::SystemTime;

use celeriac_mutex::{
    Kind,
    store::{LockState, LockSummary},
};
use serde_json::{Value, json};

use super::view;
use crate::{
    Error,
    config::LockStore,
    text::{self, Table, unknown},
};

/// What the names of Celeriac's own locks begin with: elections, which are held for good.
const OWN: &str = "celeriac.";

/// Whether an operator means it who says this name, or none.
pub(crate) fn is_meant(lock: &LockSummary, name: Option<&str>) -> bool {
    name.map_or_else(|| !lock.key.name().starts_with(OWN), |name| lock.key.name() == name)
}

/// How many locks are looked through at most.
const EVERY: usize = 100_000;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct List {
    /// Those of this name, whatever they are keyed on [default: all but Celeriac's own, which begin with `celeriac.`].
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Those that somebody holds.
    #[arg(long)]
    pub(super) held: bool,
    /// Those that somebody waits for.
    #[arg(long)]
    pub(super) waiting: bool,
    /// How many are shown at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    pub(super) limit: usize,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(super) locks: Vec<LockState>,
    /// How many more there are.
    pub(super) more: usize,
    /// Whether every lock was looked at.
    complete: bool,
}

/// Every lock that the store lists, in the order of addresses.
pub(crate) async fn every(store: &LockStore) -> Result<Vec<LockSummary>, Error> {
    store.locks.list(EVERY).await.map_err(Error::locks("can't list the locks"))
}

impl List {
    pub(crate) async fn gather(&self, kinds: &[Kind], store: &LockStore) -> Result<Listed, Error> {
        let mut found = every(store).await?;
        let complete = found.len() < EVERY;
        found.retain(|lock| kinds.contains(&lock.key.kind()) && self.accepts(lock));
        let mut locks = Vec::new();
        for lock in found.iter().take(self.limit) {
            let doing = format!("can't look at {}", lock.key);
            // Gone meanwhile, where there is nothing.
            locks.extend(store.locks.inspect(&lock.key).await.map_err(Error::locks(doing))?);
        }
        Ok(Listed { locks, more: found.len().saturating_sub(self.limit), complete })
    }

    fn accepts(&self, lock: &LockSummary) -> bool {
        is_meant(lock, self.name.as_deref()) && (!self.held || lock.used > 0) && (!self.waiting || lock.waiting > 0)
    }
}

impl Listed {
    pub(crate) fn document(&self) -> Value {
        let locks: Vec<_> = self.locks.iter().map(view::summary).collect();
        json!({"locks": locks, "more": self.more, "complete": self.complete})
    }

    /// Says what is not shown.
    pub(crate) fn note(&self) {
        if self.more > 0 {
            crate::output::note(&format!(
                "there are {} more than these {}; --limit shows them",
                text::count(self.more as u64),
                self.locks.len()
            ));
        }
        if !self.complete {
            let every = text::count(EVERY as u64);
            crate::output::note(&format!("there are more than {every} locks, and only so many were looked at"));
        }
    }

    pub(super) fn locks_table(&self, now: SystemTime) -> String {
        let mut table = Table::new(&["ADDRESS", "HELD", "WAITING", "TASK", "ID", "WORKER", "SINCE", "TTL LEFT"]);
        for lock in &self.locks {
            let holder = lock.holders.first();
            let of = |field: fn(&celeriac_mutex::store::Holder) -> String| holder.map_or_else(unknown, field);
            table.row([
                lock.key.to_string(),
                view::held(lock),
                lock.waiters.len().to_string(),
                of(|holder| holder.owner.task.clone().unwrap_or_else(unknown)),
                of(|holder| holder.owner.id.clone().unwrap_or_else(unknown)),
                of(|holder| holder.owner.worker.clone()),
                holder.map_or_else(unknown, |holder| text::age(holder.since, now)),
                of(view::ttl_left),
            ]);
        }
        table.render()
    }

    pub(crate) fn semaphores_table(&self) -> String {
        let mut table = Table::new(&["ADDRESS", "LEASES", "SET BY", "HELD", "WAITING", "MEAN HOLD"]);
        for lock in &self.locks {
            table.row([
                lock.key.to_string(),
                view::leases(lock).map_or_else(unknown, |leases| leases.to_string()),
                if lock.resized { "operator" } else { "program" }.to_owned(),
                lock.used.to_string(),
                lock.waiters.len().to_string(),
                lock.mean_hold.map_or_else(unknown, text::short),
            ]);
        }
        table.render()
    }
}
