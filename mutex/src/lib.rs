//! Leases: a distributed mutex and a counted semaphore. Reserved; nothing is here yet.
//!
//! A task already says what it must hold, as plain data: `Task::locks` in `celeriac-broker`. Until leases exist, `#[task]` refuses
//! `mutex(..)` and `semaphore(..)`, and a worker puts a task that must hold a lock into the dead letter queue with the reason `no_locks`.
