//! Where connections come from.

use deadpool_redis::{
    Connection, Manager, Pool,
    redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection},
};
use tokio::time::timeout;

use super::{failure::Failure, options::RedisOptions};
use crate::Error;

/// A pool, and, where there is an address, what subscribes: a pool's connections cannot, and do not say where they go.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pool: Pool,
    pub(super) client: Option<Client>,
    /// For people, without a password.
    pub(super) address: String,
}

impl Source {
    pub(super) fn of_url(url: &str, options: &RedisOptions) -> Result<Self, Error> {
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
        Ok(Self { pool, client: Some(client), address })
    }

    pub(super) fn of_pool(pool: Pool) -> Self {
        Self { pool, client: None, address: "the given pool".into() }
    }

    /// A connection of one's own. Its driver runs where this is awaited.
    pub(super) async fn connect(&self, options: &RedisOptions) -> Result<MultiplexedConnection, Failure> {
        let object = timeout(options.response_timeout, self.pool.get())
            .await
            .map_err(|_| Failure::Unavailable(format!("no connection within {:?}", options.response_timeout)))?;
        match object {
            // Taken for good: to recycle it costs two commands each time.
            Ok(connection) => {
                let mut connection = Connection::take(connection);
                if self.client.is_none() {
                    // Who waits bounds it; the pool's own bound may be shorter.
                    connection.set_response_timeout(options.response_timeout * 2);
                }
                Ok(connection)
            }
            Err(deadpool_redis::PoolError::Backend(error)) => Err(Failure::from(error)),
            Err(error) => Err(Failure::Unavailable(error.to_string())),
        }
    }
}
