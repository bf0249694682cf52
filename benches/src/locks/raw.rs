//! Raw Redis: what a lock costs without any promise.

use std::time::Duration;

use deadpool_redis::redis::{self, AsyncCommands, Client, Script, aio::MultiplexedConnection};

use super::url;
use crate::Failure;

/// One connection, held.
#[derive(Clone)]
pub(crate) struct Raw {
    connection: MultiplexedConnection,
    release: Script,
}

/// The release that every description of a Redis lock has: delete it if it is still ours.
const RELEASE: &str =
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end";

impl Raw {
    pub(crate) async fn connect() -> Result<Self, Failure> {
        let connection = Client::open(url()?)?.get_multiplexed_async_connection().await?;
        Ok(Self { connection, release: Script::new(RELEASE) })
    }

    /// `SET key value NX PX ttl`.
    pub(crate) async fn lock(&mut self, key: &str, value: &str, ttl: Duration) -> Result<bool, Failure> {
        let millis = u64::try_from(ttl.as_millis())?;
        let mut set = redis::cmd("SET");
        set.arg(key).arg(value).arg("NX").arg("PX").arg(millis);
        Ok(set.query_async::<Option<String>>(&mut self.connection).await?.is_some())
    }

    /// Deletes it if it is still ours.
    pub(crate) async fn unlock(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        self.release.key(key).arg(value).invoke_async::<i64>(&mut self.connection).await?;
        Ok(())
    }

    /// Puts the one token of a lock into its list.
    pub(crate) async fn give(&mut self, list: &str) -> Result<(), Failure> {
        Ok(self.connection.lpush::<_, _, ()>(list, 1).await?)
    }

    /// Waits for the token: this blocks the connection.
    pub(crate) async fn take(&mut self, list: &str) -> Result<(), Failure> {
        self.connection.blpop::<_, ()>(list, 0.0).await?;
        Ok(())
    }

    /// How often commands were run since the last question, those inside scripts not counted: of each name that is given.
    pub(crate) async fn calls(&mut self, names: &[&str]) -> Result<Vec<u64>, Failure> {
        let text: String = redis::cmd("INFO").arg("commandstats").query_async(&mut self.connection).await?;
        let calls = |name: &&str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls=")));
            line.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0)
        };
        Ok(names.iter().map(calls).collect())
    }

    /// The microseconds that Redis has spent in scripts.
    pub(crate) async fn script_micros(&mut self) -> Result<f64, Failure> {
        let text: String = redis::cmd("INFO").arg("commandstats").query_async(&mut self.connection).await?;
        let line = text.lines().find(|line| line.starts_with("cmdstat_evalsha:"));
        let field = line.and_then(|line| line.split(',').find_map(|field| field.strip_prefix("usec=")));
        Ok(field.and_then(|micros| micros.parse().ok()).unwrap_or(0.0))
    }
}
