use std::time::Duration;

use crate::Error;

/// How leases are kept in Redis.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    pub(super) namespace: String,
    pub(super) max_ttl: Duration,
    pub(super) restart_grace: bool,
    pub(super) response_timeout: Duration,
    pub(super) replicas: Option<(u32, Duration)>,
}

impl RedisOptions {
    /// What all keys and channels begin with: `celeriac`.
    pub const NAMESPACE: &str = "celeriac";
    /// The longest lease that any process takes: 30 s.
    pub const MAX_TTL: Duration = Duration::from_secs(30);
    /// How long one operation may take: 1 s.
    pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);

    /// What all keys and channels begin with; programs of different namespaces share no lock. Default: [`Self::NAMESPACE`].
    pub fn namespace(self, namespace: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), ..self }
    }

    /// The longest lease that any process of this namespace takes: how long a restarted server is waited for. Default:
    /// [`Self::MAX_TTL`].
    pub fn max_ttl(self, max_ttl: Duration) -> Self {
        Self { max_ttl, ..self }
    }

    /// Whether a lock of one lease that the server has not given out since it was started is kept back until it has run for `max_ttl`: it
    /// may have forgotten a holder that lives. A server with an append-only file forgets nothing, and keeps nothing back; a snapshot is
    /// older than what was given out after it, and counts for nothing. Default: `true`.
    pub fn restart_grace(self, restart_grace: bool) -> Self {
        Self { restart_grace, ..self }
    }

    /// How long one operation may take, with a reconnection and all, before it fails as unavailable. Default:
    /// [`Self::RESPONSE_TIMEOUT`].
    pub fn response_timeout(self, response_timeout: Duration) -> Self {
        Self { response_timeout, ..self }
    }

    /// Has each grant, at once or by hand-off, wait until so many replicas have it, at most so long; one that fewer have is given back,
    /// and fails as unavailable. It makes a double grant after a failover less likely, and not impossible: renewals wait for nobody.
    /// Default: none.
    pub fn wait_for_replicas(self, replicas: u32, at_most: Duration) -> Self {
        Self { replicas: Some((replicas, at_most)), ..self }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let plain = |character: char| character.is_ascii_alphanumeric() || "_-.:/".contains(character);
        if self.namespace.is_empty() || !self.namespace.chars().all(plain) {
            return Err(Error::Invalid(format!(
                "the namespace {:?} is empty or has other characters than letters, digits and _ - . : /",
                self.namespace
            )));
        }
        if self.response_timeout.is_zero() {
            return Err(Error::Invalid("a response timeout of zero lets no operation succeed".into()));
        }
        Ok(())
    }
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            namespace: Self::NAMESPACE.into(),
            max_ttl: Self::MAX_TTL,
            restart_grace: true,
            response_timeout: Self::RESPONSE_TIMEOUT,
            replicas: None,
        }
    }
}
