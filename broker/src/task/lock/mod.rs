//! Locks that a task must hold while it runs, as plain data.

mod declared;
mod pace;
mod part;

use std::{borrow::Cow, fmt, time::Duration};

pub use self::{
    declared::DeclaredLock,
    pace::Pace,
    part::{LockPart, LockWeight},
};

/// A lock that a task must hold while it runs, computed from its bound arguments.
///
/// It is data, not a lock: a publisher can know it as well as a worker. `#[task(mutex(..), semaphore(..), rate(..))]` writes these;
/// by hand:
///
/// ```
/// use std::time::Duration;
/// use celeriac_broker::{Busy, LockSpec};
///
/// let dealer = "eu".to_owned();
/// let spec = LockSpec::semaphore("dms", [dealer], 3).label("dms").busy(Busy::Wait(Duration::from_secs(10)));
/// assert_eq!((spec.name.as_str(), spec.leases, spec.weight), ("dms", 3, 1));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LockSpec {
    /// What kind of lock it is.
    pub kind: LockKind,
    /// The name shared by all who contend for it: a task's name, or one that several tasks write.
    pub name: String,
    /// The parts of its key, in order; typed parts keep ("a:b", "c") and ("a", "b:c") apart.
    ///
    /// They are shown to operators: no secret belongs here.
    pub key: Vec<String>,
    /// How many may hold it at once; 1 for a mutex. What the store knows already wins.
    pub leases: u32,
    /// How many of the leases one run takes, or how much of a rate it spends. 0 takes nothing.
    pub weight: u32,
    /// How long a lease outlives its worker's last renewal. Default: the locks' own, 15 s.
    pub ttl: Option<Duration>,
    /// What happens when it is busy.
    pub busy: Busy,
    /// What a rate allows; nothing for the other kinds.
    pub pace: Option<Pace>,
    /// By what a handler finds it: `ctx.lease("account_id")`.
    pub label: Cow<'static, str>,
}

/// What kind of lock a [`LockSpec`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LockKind {
    /// One holder.
    Mutex,
    /// A number of leases.
    Semaphore,
    /// So much per time; nothing is held.
    Rate,
}

/// What happens to a task whose lock is busy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Busy {
    /// It is given back to the broker, keeps its place in line, and comes back when its turn is expected. It takes no slot
    /// meanwhile, and no attempt is counted.
    #[default]
    Defer,
    /// It waits in its slot for at most this long, and is deferred then.
    Wait(Duration),
    /// It is not run: whoever holds the lock does its work.
    Skip,
    /// The attempt failed; the retry policy says what follows.
    Fail,
}

impl LockSpec {
    /// A lock that one holder has at a time.
    pub fn mutex(name: impl Into<String>, key: impl IntoIterator<Item = String>) -> Self {
        Self::new(LockKind::Mutex, name.into(), key.into_iter().collect(), 1, None)
    }

    /// A lock that `leases` holders have at a time.
    pub fn semaphore(name: impl Into<String>, key: impl IntoIterator<Item = String>, leases: u32) -> Self {
        Self::new(LockKind::Semaphore, name.into(), key.into_iter().collect(), leases, None)
    }

    /// A limit of so much per time.
    pub fn rate(name: impl Into<String>, key: impl IntoIterator<Item = String>, pace: Pace) -> Self {
        Self::new(LockKind::Rate, name.into(), key.into_iter().collect(), 1, Some(pace))
    }

    fn new(kind: LockKind, name: String, key: Vec<String>, leases: u32, pace: Option<Pace>) -> Self {
        let label = Cow::Owned(name.clone());
        Self { kind, name, key, leases, weight: 1, ttl: None, busy: Busy::Defer, pace, label }
    }

    /// Takes `weight` of the leases.
    pub fn weight(self, weight: u32) -> Self {
        Self { weight, ..self }
    }

    /// Outlives its worker's last renewal by `ttl`.
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl: Some(ttl), ..self }
    }

    /// Says what happens when it is busy.
    pub fn busy(self, busy: Busy) -> Self {
        Self { busy, ..self }
    }

    /// Says by what a handler finds it. Default: its name.
    pub fn label(self, label: impl Into<Cow<'static, str>>) -> Self {
        Self { label: label.into(), ..self }
    }
}

impl LockKind {
    /// The kind as it is written in a lock's address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mutex => "mutex",
            Self::Semaphore => "semaphore",
            Self::Rate => "rate",
        }
    }
}

impl fmt::Display for LockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
