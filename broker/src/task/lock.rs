/// A lock that a task must hold while it runs, computed from its bound arguments.
///
/// It is data, not a lock: a publisher can know it as well as a worker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LockSpec {
    /// The name shared by all who contend for it: a task's name, or a named semaphore's.
    pub name: String,
    /// The parts of its key, in order; typed parts keep ("a:b", "c") and ("a", "b:c") apart.
    pub key: Vec<String>,
    /// How many may hold it at once; 1 for a mutex.
    pub leases: u32,
    /// How many of the leases one run takes.
    pub weight: u32,
}

impl LockSpec {
    /// A lock that one holder has at a time.
    pub fn mutex(name: impl Into<String>, key: impl IntoIterator<Item = String>) -> Self {
        Self::semaphore(name, key, 1)
    }

    /// A lock that `leases` holders have at a time.
    pub fn semaphore(name: impl Into<String>, key: impl IntoIterator<Item = String>, leases: u32) -> Self {
        Self { name: name.into(), key: key.into_iter().collect(), leases, weight: 1 }
    }
}
