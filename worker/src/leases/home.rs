//! Where a worker's leases are kept.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use celeriac_broker::{Broker, DeclaredLock, LockKind, Transport};
use celeriac_mutex::{DEFAULT_MAX_TTL, Locks, MemoryStore};

use crate::Error;

/// Where a worker's leases are kept.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) locks: Locks,
    /// Whether the worker made it, and so closes it.
    pub(crate) own: bool,
    /// How many leases the semaphores have that tasks of this worker name.
    pub(crate) leases: HashMap<&'static str, u32>,
}

/// Where the address comes from, where nothing else says it.
pub(crate) const VARIABLE: &str = "CELERIAC_LOCKS_URL";

impl Home {
    /// The home that was handed over, or that the address names, or that the broker offers; `None` where there is none.
    pub(crate) fn choose(
        locks: Option<Locks>,
        url: Option<String>,
        broker: &Broker,
        declared: &[(&'static str, DeclaredLock)],
    ) -> Result<Option<Self>, Error> {
        let leases = declared.iter().filter(|(_, lock)| lock.kind == LockKind::Semaphore);
        let leases = leases.map(|(_, lock)| (lock.name, lock.leases)).collect();
        if let Some(locks) = locks {
            return Ok(Some(Self { locks, own: false, leases }));
        }
        let longest = declared.iter().filter_map(|(_, lock)| lock.ttl).max().unwrap_or(Duration::ZERO);
        let builder = Locks::builder().max_ttl(DEFAULT_MAX_TTL.max(longest));
        let named = url.or_else(|| std::env::var(VARIABLE).ok().filter(|url| !url.is_empty()));
        let offered = named.is_none();
        let scheme = broker.address().split(':').next().unwrap_or_default();
        let builder = match (named, scheme) {
            (Some(url), _) => builder.url(url),
            (None, "memory") => builder.store(Arc::new(memory_of(broker))),
            // What stands behind the path is the broker's business.
            (None, "sqlite") => builder.url(broker.address().split('?').next().unwrap_or_default()),
            _ => return Ok(None),
        };
        match builder.build() {
            Ok(locks) => Ok(Some(Self { locks, own: true, leases })),
            // Nobody has asked for this one.
            Err(_) if offered && declared.is_empty() => Ok(None),
            Err(error) => Err(Error::config("locks_url", error.to_string())),
        }
    }
}

/// Refuses two numbers of leases for one semaphore: which of them counts would depend on who comes first.
pub(crate) fn check_declared(declared: &[(&'static str, DeclaredLock)]) -> Result<(), Error> {
    let mut seen: HashMap<&str, (&str, u32)> = HashMap::new();
    for (task, lock) in declared.iter().filter(|(_, lock)| lock.kind == LockKind::Semaphore) {
        let (first, leases) = *seen.entry(lock.name).or_insert((task, lock.leases));
        if leases != lock.leases {
            let fault = format!("{first} says that it has {leases} leases, and {task} says {}", lock.leases);
            return Err(Error::config(format!("semaphore {}", lock.name), fault));
        }
    }
    Ok(())
}

/// The leases of a broker in memory: workers that share the one share the others.
fn memory_of(broker: &Broker) -> MemoryStore {
    static STORES: Mutex<Vec<(Weak<dyn Transport>, MemoryStore)>> = Mutex::new(Vec::new());
    let transport = broker.transport();
    let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
    stores.retain(|(of, _)| of.strong_count() > 0);
    if let Some((_, store)) = stores.iter().find(|(of, _)| of.ptr_eq(&Arc::downgrade(transport))) {
        return store.clone();
    }
    let store = MemoryStore::new();
    stores.push((Arc::downgrade(transport), store.clone()));
    store
}
