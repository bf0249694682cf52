//! Where connections come from.

#[cfg(feature = "redis-sentinel")]
use std::sync::Arc;

use deadpool_redis::{
    Connection, Manager, Pool, PoolError,
    redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection},
};
use tokio::time::timeout;

use super::{failure::Failure, options::RedisOptions};
use crate::Error;

/// What gives connections.
#[derive(Debug, Clone)]
enum Connections {
    Plain(Pool),
    #[cfg(feature = "redis-sentinel")]
    Sentinel(deadpool_redis::sentinel::Pool),
}

/// Where hints can be subscribed to.
#[derive(Debug, Clone)]
enum Channels {
    Server(Box<Client>),
    #[cfg(feature = "redis-sentinel")]
    Sentinels(Arc<super::sentinel::Address>),
    /// A pool's connections cannot subscribe, and do not say where they go.
    None,
}

/// A pool, and what subscribes where there is an address.
#[derive(Debug, Clone)]
pub(super) struct Source {
    connections: Connections,
    channels: Channels,
    /// For people, without a password.
    pub(super) address: String,
}

impl Source {
    pub(super) fn of_url(url: &str, options: &RedisOptions) -> Result<Self, Error> {
        #[cfg(feature = "redis-sentinel")]
        if let Some(address) = super::sentinel::Address::parse(url)? {
            let (connections, shown) = (Connections::Sentinel(address.pool()?), address.to_string());
            return Ok(Self { connections, channels: Channels::Sentinels(Arc::new(address)), address: shown });
        }
        // Never the address itself: it may hold a password.
        let invalid = |error: &dyn std::fmt::Display| {
            Error::Invalid(format!(
                "the address of Redis cannot be used ({error}); one looks like redis://localhost:6379/0"
            ))
        };
        let client = Client::open(url).map_err(|error| invalid(&error))?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(options.response_timeout))
            .set_response_timeout(None);
        let manager = Manager::new_with_config(url, config).map_err(|error| invalid(&error))?;
        let pool = Pool::builder(manager).build().map_err(|error| invalid(&error))?;
        let address = client.get_connection_info().addr().to_string();
        Ok(Self { connections: Connections::Plain(pool), channels: Channels::Server(Box::new(client)), address })
    }

    pub(super) fn of_pool(pool: Pool) -> Self {
        Self { connections: Connections::Plain(pool), channels: Channels::None, address: "the given pool".into() }
    }

    /// Whether hints come by subscription.
    pub(super) fn subscribes(&self) -> bool {
        !matches!(self.channels, Channels::None)
    }

    /// What to subscribe at now.
    #[cfg_attr(not(feature = "redis-sentinel"), allow(clippy::unused_async, reason = "only sentinels are asked"))]
    pub(super) async fn server(&self) -> Result<Client, Failure> {
        match &self.channels {
            Channels::Server(client) => Ok(Client::clone(client)),
            #[cfg(feature = "redis-sentinel")]
            Channels::Sentinels(address) => address.server().await,
            Channels::None => Err(Failure::Unavailable("a pool does not say where its connections go".into())),
        }
    }

    /// A connection of one's own. Its driver runs where this is awaited.
    pub(super) async fn connect(&self, options: &RedisOptions) -> Result<MultiplexedConnection, Failure> {
        let bound = options.response_timeout;
        // Taken for good: to recycle it costs two commands each time.
        let taken = async {
            match &self.connections {
                Connections::Plain(pool) => pool.get().await.map(Connection::take).map_err(failure),
                #[cfg(feature = "redis-sentinel")]
                Connections::Sentinel(pool) => {
                    pool.get().await.map(deadpool_redis::sentinel::Connection::take).map_err(failure)
                }
            }
        };
        let taken = timeout(bound, taken).await;
        let mut connection = taken.map_err(|_| Failure::Unavailable(format!("no connection within {bound:?}")))??;
        if !matches!(self.channels, Channels::Server(_)) {
            // Who waits bounds it; the pool's own bound may be shorter.
            connection.set_response_timeout(bound * 2);
        }
        Ok(connection)
    }
}

fn failure(error: PoolError) -> Failure {
    match error {
        PoolError::Backend(error) => Failure::from(error),
        error => Failure::Unavailable(error.to_string()),
    }
}
