//! What a [`Locks`](crate::Locks) handle has done so far, as plain numbers: whoever exports metrics reads them when asked.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{Kind, LeaseLost, LockKey};

/// The upper bounds of [`Durations`]' buckets.
pub const BUCKETS: [Duration; 13] = [
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(900),
    Duration::from_secs(3600),
];

/// The name under which locks are counted that [`Locks::count`](crate::Locks::count) was not told of.
pub const OTHER: &str = "other";

/// What a handle and its clones have done so far.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LocksStats {
    /// Renewals after which the lease was held.
    pub renewed: u64,
    /// Renewals that found the lease lost.
    pub lost: u64,
    /// Renewals to which the store did not answer.
    pub failed: u64,
    /// Connections to the store made anew after one was lost.
    pub reconnects: u64,
    /// By kind and name, in order; mutexes and semaphores of other names together as [`OTHER`].
    pub locks: Vec<NameStats>,
}

/// What became of the locks of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameStats {
    /// A mutex or a semaphore.
    pub kind: Kind,
    /// Its name, or [`OTHER`].
    pub name: String,
    /// From the first question for a lease until it was granted, the time of a [`Ticket`](crate::Ticket) included.
    pub waits: Durations,
    /// From the grant of a lease until it was let go or lost.
    pub holds: Durations,
    /// Leases lost before they were let go.
    pub lost: Vec<(LeaseLost, u64)>,
    /// The age of the oldest lease that is held.
    pub oldest: Option<Duration>,
}

/// How often something took how long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Durations {
    /// How many took at most each of [`BUCKETS`], and longer than the one before.
    pub counts: [u64; BUCKETS.len()],
    /// How many there were, the longest included.
    pub count: u64,
    /// All of them together.
    pub sum: Duration,
}

/// The reasons that a lease is lost for; to be released is none.
pub const LOSSES: [LeaseLost; 4] = [LeaseLost::Unreachable, LeaseLost::Taken, LeaseLost::Revoked, LeaseLost::Overlong];

/// The numbers as they are counted.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) renewed: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    names: RwLock<Names>,
    others: [Arc<NameCounts>; 2],
}

/// By kind and encoded name.
type Names = HashMap<(Kind, Box<str>), Arc<NameCounts>>;

/// The numbers of one name.
#[derive(Debug)]
pub(crate) struct NameCounts {
    kind: Kind,
    name: String,
    waits: Times,
    holds: Times,
    lost: [AtomicU64; LOSSES.len()],
}

#[derive(Debug, Default)]
struct Times {
    buckets: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    nanos: AtomicU64,
}

pub(crate) fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

impl Default for Counts {
    fn default() -> Self {
        let other = |kind| Arc::new(NameCounts::new(kind, OTHER.to_owned()));
        Self {
            renewed: AtomicU64::default(),
            lost: AtomicU64::default(),
            failed: AtomicU64::default(),
            reconnects: AtomicU64::default(),
            names: RwLock::default(),
            others: [other(Kind::Mutex), other(Kind::Semaphore)],
        }
    }
}

impl Counts {
    /// Counts the locks of that name by themselves from now on.
    pub(crate) fn name(&self, kind: Kind, name: &str) {
        let key = LockKey::new(kind, name);
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.entry((kind, key.first().into())).or_insert_with(|| Arc::new(NameCounts::new(kind, name.to_owned())));
    }

    /// Where a lock is counted.
    pub(crate) fn of(&self, key: &LockKey) -> Arc<NameCounts> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let other = &self.others[usize::from(key.kind() == Kind::Semaphore)];
        names.get(&(key.kind(), key.first().into())).unwrap_or(other).clone()
    }

    /// Everything; `oldest` says the age of the oldest lease that is counted there.
    pub(crate) fn read(&self, oldest: impl Fn(&Arc<NameCounts>) -> Option<Duration>) -> LocksStats {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let mut locks: Vec<_> = names.values().chain(&self.others).map(|counts| counts.read(oldest(counts))).collect();
        locks.sort_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
        LocksStats {
            renewed: read(&self.renewed),
            lost: read(&self.lost),
            failed: read(&self.failed),
            reconnects: read(&self.reconnects),
            locks,
        }
    }
}

impl NameCounts {
    fn new(kind: Kind, name: String) -> Self {
        Self { kind, name, waits: Times::default(), holds: Times::default(), lost: Default::default() }
    }

    pub(crate) fn waited(&self, time: Duration) {
        self.waits.add(time);
    }

    pub(crate) fn held(&self, time: Duration) {
        self.holds.add(time);
    }

    pub(crate) fn lost(&self, reason: LeaseLost) {
        if let Some(index) = LOSSES.iter().position(|loss| *loss == reason) {
            add(&self.lost[index]);
        }
    }

    fn read(&self, oldest: Option<Duration>) -> NameStats {
        NameStats {
            kind: self.kind,
            name: self.name.clone(),
            waits: self.waits.read(),
            holds: self.holds.read(),
            lost: LOSSES.iter().zip(&self.lost).map(|(loss, count)| (*loss, read(count))).collect(),
            oldest,
        }
    }
}

impl Times {
    fn add(&self, time: Duration) {
        if let Some(bucket) = BUCKETS.iter().position(|bound| time <= *bound) {
            add(&self.buckets[bucket]);
        }
        self.nanos.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        add(&self.count);
    }

    fn read(&self) -> Durations {
        let counts: [u64; BUCKETS.len()] = std::array::from_fn(|bucket| read(&self.buckets[bucket]));
        // Read one after another: there must not be more in the buckets than in all.
        let count = read(&self.count).max(counts.iter().sum());
        Durations { counts, count, sum: Duration::from_nanos(read(&self.nanos)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Locks;

    fn of(locks: &Locks, kind: Kind, name: &str) -> NameStats {
        let stats = locks.stats();
        stats.locks.into_iter().find(|lock| lock.kind == kind && lock.name == name).unwrap()
    }

    #[tokio::test]
    async fn waits_and_holds_are_counted_by_name_and_unknown_names_together() {
        let locks = Locks::from_url("memory://").unwrap();
        locks.count(Kind::Mutex, "a b");
        let guard = locks.mutex("a b").key(1).lock().await.unwrap();
        let other = locks.mutex("whatever").key(1).lock().await.unwrap();
        assert!(of(&locks, Kind::Mutex, "a b").oldest.is_some());
        let second = locks.mutex("a b").key(1);
        let mut waiting = tokio::spawn(async move { second.lock().await.map(drop) });
        let still = tokio::time::timeout(Duration::from_millis(20), &mut waiting).await;
        assert!(still.is_err(), "it waits");
        guard.release().await.unwrap();
        drop(other);
        waiting.await.unwrap().unwrap();
        let known = of(&locks, Kind::Mutex, "a b");
        assert_eq!((known.waits.count, known.holds.count), (2, 2), "{known:?}");
        assert!(known.waits.sum >= Duration::from_millis(20) && known.oldest.is_none(), "{known:?}");
        let other = of(&locks, Kind::Mutex, OTHER);
        assert_eq!((other.waits.count, other.holds.count), (1, 1));
        assert_eq!(of(&locks, Kind::Semaphore, OTHER).waits.count, 0);
    }

    #[tokio::test]
    async fn a_place_that_is_used_has_waited_since_it_was_first_taken() {
        let locks = Locks::from_url("memory://").unwrap();
        let mutex = locks.mutex("m");
        let guard = mutex.lock().await.unwrap();
        let crate::Taken::Parked(first) = mutex.take_or_park(None).await.unwrap() else { panic!("it is held") };
        let kept = crate::Ticket::from(first.ticket.as_str());
        let crate::Taken::Parked(second) = mutex.take_or_park(Some(&kept)).await.unwrap() else { panic!("it is held") };
        assert!(tokio::time::timeout(Duration::from_millis(30), guard.lost().cancelled()).await.is_err(), "it is held");
        guard.release().await.unwrap();
        let kept = crate::Ticket::from(second.ticket.as_str());
        let crate::Taken::Granted(_guard) = mutex.take_or_park(Some(&kept)).await.unwrap() else {
            panic!("it is free")
        };
        let waits = of(&locks, Kind::Mutex, OTHER).waits;
        assert!(waits.count == 2 && waits.sum >= Duration::from_millis(30), "{waits:?}");
    }

    #[tokio::test]
    async fn a_lost_lease_is_counted_under_its_reason() {
        let locks = Locks::from_url("memory://").unwrap();
        locks.count(Kind::Mutex, "m");
        let guard = locks.mutex("m").ttl(Duration::from_millis(300)).lock().await.unwrap();
        locks.force_release(guard.key(), guard.id()).await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), guard.lost().cancelled()).await.unwrap();
        let stats = of(&locks, Kind::Mutex, "m");
        assert_eq!(stats.lost.iter().map(|(_, count)| count).sum::<u64>(), 1, "{stats:?}");
        assert_eq!((stats.holds.count, locks.stats().lost), (1, 1));
    }
}
