//! Leases: a distributed mutex, a counted semaphore and a rate limit that outlive no crash and lie to no holder.
//!
//! ```no_run
//! # async fn example() -> Result<(), celeriac_mutex::Error> {
//! use celeriac_mutex::Locks;
//!
//! let locks = Locks::from_url("memory://")?;
//! let guard = locks.mutex("invoice").key(42).lock().await?;
//! println!("mine, with fencing token {}", guard.fencing_token());
//! guard.release().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # What a lease is
//!
//! A lease is ownership for a bounded time, renewed while it is held. If its holder dies, it ends by itself. If its holder cannot
//! renew it, [`Lease::lost`] resolves *before* the store could give it to another. What no lease can promise is that a process that
//! was stopped in the middle of a write does not finish it later: for that, send the [`FencingToken`] along with the write, and let
//! the resource refuse a token lower than the highest it has seen.
//!
//! # Layout
//!
//! - [`Locks`] is the handle that users hold; [`Mutex`], [`Semaphore`] and [`RateLimit`] come from it, [`MutexGuard`] and [`Permit`]
//!   from those. Both are a [`Lease`].
//! - [`store::LeaseStore`] is the one trait that a store implements: Redis (feature `redis`), SQLite (feature `sqlite`), memory.
//! - `session` is one process's part: a thread of its own that renews every lease, hears of grants, and releases what was dropped.

mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod handle;
mod key;
mod lease;
mod locks;
mod memory;
mod mutex;
mod owner;
mod rate;
#[cfg(feature = "redis")]
mod redis;
#[doc(hidden)]
pub mod rules;
mod semaphore;
mod session;
#[cfg(feature = "sqlite")]
mod sqlite;
pub mod stats;
pub mod store;

pub use error::{Cause, Error};
pub use key::{IntoKey, Kind, LockKey};
pub use lease::{FencingToken, Lease, LeaseLost, Released};
pub use locks::{DEFAULT_MAX_TTL, DEFAULT_PATIENCE, DEFAULT_TTL, Locks, LocksBuilder};
pub use memory::MemoryStore;
pub use mutex::{Mutex, MutexGuard};
pub use owner::Owner;
pub use rate::{Rate, RateLimit};
#[cfg(feature = "redis")]
pub use redis::{RedisOptions, RedisStore};
pub use semaphore::{Permit, Semaphore};
pub use session::{Place, Taken, Ticket};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
