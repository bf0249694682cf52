use std::{fmt, sync::Arc, time::Duration};

use url::Url;

use crate::{
    Error, Kind, LockKey, MemoryStore, Mutex, Owner, Rate, RateLimit, Semaphore,
    handle::Handle,
    session::{Session, Settings},
    stats::LocksStats,
    store::{Capabilities, Finding, LeaseId, LeaseStore, LockState, LockSummary},
};

/// How long a lease lasts from each renewal, unless its lock says otherwise: 15 s.
pub const DEFAULT_TTL: Duration = Duration::from_secs(15);
/// The longest ttl that may be asked for, and the pause after a store has lost its memory: 30 s.
pub const DEFAULT_MAX_TTL: Duration = Duration::from_secs(30);
/// How long one who waits bears a store that does not answer: 5 s.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(5);

/// The handle from which locks come; cheap to clone.
///
/// It does no I/O before its first use, and then keeps one thread, which renews every lease of this process. Its clones share it.
#[derive(Clone)]
pub struct Locks {
    session: Arc<Session>,
}

impl Locks {
    /// Locks at an address: `redis://..`, `sqlite://..` or `memory://`, with everything else by default.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for an address that is none, or that needs a feature that is not built in.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        Self::builder().url(url).build()
    }

    /// A builder, for everything that is not as by default.
    pub fn builder() -> LocksBuilder {
        LocksBuilder::default()
    }

    /// The mutex of that name.
    pub fn mutex(&self, name: &str) -> Mutex {
        Mutex::new(self.session.clone(), name)
    }

    /// The semaphore of that name, with so many leases for each key where none are stored yet.
    pub fn semaphore(&self, name: &str, leases: u32) -> Semaphore {
        Semaphore::new(self.session.clone(), name, leases)
    }

    /// The rate limit of that name.
    pub fn rate(&self, name: &str, rate: Rate) -> RateLimit {
        RateLimit::new(self.session.clone(), name, rate)
    }

    /// The mutex of a key that is at hand.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for the key of another kind of lock.
    pub fn mutex_at(&self, key: LockKey) -> Result<Mutex, Error> {
        expect(Kind::Mutex, &key)?;
        Ok(Mutex(Handle::new(self.session.clone(), key, 1)))
    }

    /// The semaphore of a key that is at hand.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for the key of another kind of lock.
    pub fn semaphore_at(&self, key: LockKey, leases: u32) -> Result<Semaphore, Error> {
        expect(Kind::Semaphore, &key)?;
        Ok(Semaphore(Handle::new(self.session.clone(), key, leases)))
    }

    /// Who is shown as a holder, unless a lock says otherwise.
    pub fn owner(&self) -> Owner {
        self.session.owner()
    }

    /// What the store can do.
    pub fn capabilities(&self) -> Capabilities {
        self.session.store.capabilities()
    }

    /// Counts the locks of that name by themselves in [`stats`](Self::stats) from now on; all others are counted together.
    pub fn count(&self, kind: Kind, name: &str) {
        self.session.counts.name(kind, name);
    }

    /// What this handle and its clones have done so far.
    pub fn stats(&self) -> LocksStats {
        self.session.stats()
    }

    /// The locks that exist now, at most `limit` of them, in the order of their addresses.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] and [`Error::Refused`], as all questions of an operator.
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, and may be dropped.
    pub async fn list(&self, limit: usize) -> Result<Vec<LockSummary>, Error> {
        self.session.ready()?;
        let mut locks = self.session.store.list(limit).await?;
        locks.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(locks)
    }

    /// Everything about one lock; `None` where nobody holds, waits for or has lately held it.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, and may be dropped.
    pub async fn inspect(&self, key: &LockKey) -> Result<Option<LockState>, Error> {
        key.check()?;
        self.session.ready()?;
        self.session.store.inspect(key).await
    }

    /// Sets how many leases one key of a semaphore has; see [`Semaphore::resize`].
    ///
    /// # Errors
    ///
    /// As [`Semaphore::resize`]; [`Error::Invalid`] for the key of another kind of lock.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves unknown whether it happened.
    pub async fn resize(&self, key: &LockKey, leases: Option<u32>) -> Result<(), Error> {
        resize(&self.session, key, leases).await
    }

    /// Asks a holder to let go: its [`lost`](crate::Lease::lost) is cancelled, with the reason
    /// [`Revoked`](crate::LeaseLost::Revoked). `false` where there is no such lease.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves unknown whether it happened.
    pub async fn revoke(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        self.session.ready()?;
        self.session.store.revoke(key, lease).await
    }

    /// Takes a lease from its holder, whether it agrees or not, and gives it to whoever waits first. The holder learns of it by its
    /// next renewal, a third of its ttl later at most: until then two may work at once, and only their fencing tokens tell them
    /// apart. `false` where there is no such lease.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves unknown whether it happened.
    pub async fn force_release(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        self.session.ready()?;
        self.session.store.force_release(key, lease).await
    }

    /// What an operator should know about the store.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    ///
    /// # Cancel safety
    ///
    /// It changes nothing, and may be dropped.
    pub async fn diagnose(&self) -> Result<Vec<Finding>, Error> {
        self.session.ready()?;
        self.session.store.diagnose().await
    }

    /// Releases everything that this handle and its clones hold, and stops their thread. What is asked for later fails with
    /// [`Error::Closed`]. Waits at most 2 s for the store.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the rest to the background.
    pub async fn close(&self) {
        self.session.close().await;
    }
}

impl fmt::Debug for Locks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locks")
            .field("process", &self.session.process.as_str())
            .field("store", &self.session.store)
            .finish_non_exhaustive()
    }
}

fn expect(kind: Kind, key: &LockKey) -> Result<(), Error> {
    if key.kind() == kind { Ok(()) } else { Err(Error::Invalid(format!("{key} is no {kind}"))) }
}

pub(crate) async fn resize(session: &Session, key: &LockKey, leases: Option<u32>) -> Result<(), Error> {
    expect(Kind::Semaphore, key)?;
    key.check()?;
    if leases == Some(0) {
        return Err(Error::Invalid(format!(
            "{key} cannot have 0 leases; to stop its tasks, stop the pool that runs them"
        )));
    }
    session.ready()?;
    session.store.resize(key, leases).await
}

/// Builds [`Locks`].
#[derive(Debug, Clone)]
#[must_use]
pub struct LocksBuilder {
    place: Where,
    worker: Option<String>,
    ttl: Duration,
    max_ttl: Duration,
    patience: Duration,
}

#[derive(Debug, Clone)]
enum Where {
    Nowhere,
    Url(String),
    Store(Arc<dyn LeaseStore>),
}

impl Default for LocksBuilder {
    fn default() -> Self {
        Self {
            place: Where::Nowhere,
            worker: None,
            ttl: DEFAULT_TTL,
            max_ttl: DEFAULT_MAX_TTL,
            patience: DEFAULT_PATIENCE,
        }
    }
}

impl LocksBuilder {
    /// Where the leases are kept: `redis://..`, `sqlite://..` or `memory://`.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.place = Where::Url(url.into());
        self
    }

    /// A store that is at hand.
    pub fn store(mut self, store: Arc<dyn LeaseStore>) -> Self {
        self.place = Where::Store(store);
        self
    }

    /// The name under which this process is shown to operators; `host:pid` by default.
    pub fn worker(mut self, name: impl Into<String>) -> Self {
        self.worker = Some(name.into());
        self
    }

    /// How long a lease lasts from each renewal, unless its lock says otherwise; [`DEFAULT_TTL`].
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The longest ttl that may be asked for; [`DEFAULT_MAX_TTL`]. After a store has lost its memory, no mutex is given out for this
    /// long, so that no holder from before is overlooked.
    pub fn max_ttl(mut self, max_ttl: Duration) -> Self {
        self.max_ttl = max_ttl;
        self
    }

    /// How long one who waits bears a store that does not answer; [`DEFAULT_PATIENCE`].
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Builds it, without I/O.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for an address that is none, one that needs a feature that is not built in, or a ttl above `max_ttl`.
    pub fn build(self) -> Result<Locks, Error> {
        let settings = Settings {
            worker: self.worker.unwrap_or_else(default_worker),
            ttl: self.ttl,
            max_ttl: self.max_ttl,
            patience: self.patience,
        };
        if settings.ttl > settings.max_ttl {
            return Err(Error::invalid_ttl(settings.ttl, settings.max_ttl));
        }
        let store = match self.place {
            Where::Store(store) => store,
            Where::Url(url) => open(&url, &settings)?,
            Where::Nowhere => {
                return Err(Error::Invalid("locks need an address: LocksBuilder::url or ::store".to_owned()));
            }
        };
        Ok(Locks { session: Arc::new(Session::new(store, settings)) })
    }
}

#[cfg_attr(not(feature = "redis"), allow(unused_variables, reason = "the other stores have no longest ttl"))]
fn open(address: &str, settings: &Settings) -> Result<Arc<dyn LeaseStore>, Error> {
    // The address itself is not shown: it may hold a password.
    let url = Url::parse(address)
        .map_err(|error| Error::Invalid(format!("the address of the lock store is no URL: {error}")))?;
    #[cfg(feature = "sqlite")]
    if url.scheme() == "sqlite" {
        return Ok(Arc::new(crate::SqliteStore::from_url(address)?));
    }
    #[cfg(feature = "redis")]
    if url.scheme().starts_with("redis") {
        let options = crate::RedisOptions::default().max_ttl(settings.max_ttl);
        return Ok(Arc::new(crate::RedisStore::from_url(address, options)?));
    }
    match url.scheme() {
        "memory" => Ok(Arc::new(MemoryStore::new())),
        scheme @ ("redis" | "rediss" | "sqlite") => Err(Error::Invalid(format!(
            "the lock store's address begins with {scheme}://, which needs celeriac-mutex to be built with the feature `{}`",
            if scheme == "sqlite" { "sqlite" } else { "redis" }
        ))),
        other => Err(Error::Invalid(format!(
            "the lock store's address begins with {other}://; redis://, sqlite:// and memory:// are known"
        ))),
    }
}

fn default_worker() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}:{}", std::process::id())
}
