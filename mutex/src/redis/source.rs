//! Where connections come from.

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

/// A pool, and, where there is an address, what subscribes: a pool's connections cannot, and do not say where they go.
#[derive(Debug, Clone)]
pub(super) struct Source {
    connections: Connections,
    pub(super) client: Option<Client>,
    /// For people, without a password.
    pub(super) address: String,
}

impl Source {
    pub(super) fn of_url(url: &str, options: &RedisOptions) -> Result<Self, Error> {
        #[cfg(feature = "redis-sentinel")]
        if let Some(address) = super::sentinel::Address::parse(url)? {
            let (pool, address) = (address.pool()?, address.to_string());
            return Ok(Self { connections: Connections::Sentinel(pool), client: None, address });
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
        Ok(Self { connections: Connections::Plain(pool), client: Some(client), address })
    }

    pub(super) fn of_pool(pool: Pool) -> Self {
        Self { connections: Connections::Plain(pool), client: None, address: "the given pool".into() }
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
        if self.client.is_none() {
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
