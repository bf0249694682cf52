use std::time::Duration;

use super::LockKind;

/// What is known of a task's lock before there are arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct DeclaredLock {
    /// What kind of lock it is.
    pub kind: LockKind,
    /// The name shared by all who contend for it.
    pub name: &'static str,
    /// How many may hold one of its keys at once; 1 for a mutex and a rate.
    pub leases: u32,
    /// How long a lease outlives its worker's last renewal, where the task says.
    pub ttl: Option<Duration>,
}

impl DeclaredLock {
    /// A lock that one holder has at a time.
    pub const fn mutex(name: &'static str) -> Self {
        Self { kind: LockKind::Mutex, name, leases: 1, ttl: None }
    }

    /// A lock that `leases` holders have at a time.
    ///
    /// # Panics
    /// When `leases` is 0: nobody could ever hold it. In a constant that is an error when it is compiled.
    pub const fn semaphore(name: &'static str, leases: u32) -> Self {
        assert!(leases > 0, "with 0 leases nobody could ever hold it");
        Self { kind: LockKind::Semaphore, name, leases, ttl: None }
    }

    /// A limit of so much per time.
    pub const fn rate(name: &'static str) -> Self {
        Self { kind: LockKind::Rate, name, leases: 1, ttl: None }
    }

    /// Outlives its worker's last renewal by `ttl`.
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }
}
