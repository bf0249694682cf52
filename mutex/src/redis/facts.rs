//! What a server says of itself when a connection to it is made.

use std::{collections::HashMap, sync::Once, time::Duration};

use deadpool_redis::redis::Value;
use tokio::time::Instant;

use super::{failure::Failure, options::RedisOptions, reply};
use crate::rules::{Micros, micros};

/// A server, as seen at a handshake.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Until when it keeps back what it does not know, by its own clock; 0 where it does not.
    grace_until: Micros,
    /// From when on that is over for certain.
    grace_over: Instant,
}

impl Facts {
    /// Reads `INFO` and `TIME`.
    pub(super) fn read(info: &Value, time: &Value, options: &RedisOptions) -> Result<Self, Failure> {
        let info = Info::read(info).or_else(|failure| match failure {
            // Some services let nobody see it.
            Failure::Refused(_) => Ok(Info(HashMap::new())),
            failure => Err(failure),
        })?;
        if info.get("loading") == Some("1") {
            return Err(Failure::Unavailable("LOADING: the server still reads its data".into()));
        }
        if info.get("role") == Some("slave") {
            return Err(Failure::Unavailable("it is a replica, which takes no locks".into()));
        }
        match info.get("maxmemory_policy") {
            Some("noeviction") => {}
            Some(policy) => {
                return Err(Failure::Refused(format!(
                    "its maxmemory-policy is {policy}, which drops locks that are held when memory runs out; \
                     run `CONFIG SET maxmemory-policy noeviction`, and put it into the server's configuration"
                )));
            }
            None => warn_once(),
        }
        let now = reply::time(time)?;
        // In whole seconds, of which the first may have only begun.
        let uptime = info.get("uptime_in_seconds").and_then(|seconds| seconds.parse::<u64>().ok());
        let uptime = uptime.map(|seconds| Duration::from_secs(seconds.saturating_sub(1)));
        let left = match uptime {
            Some(uptime) if options.restart_grace && info.get("aof_enabled") != Some("1") => {
                options.max_ttl.saturating_sub(uptime)
            }
            _ => Duration::ZERO,
        };
        let grace_until = if left.is_zero() { 0 } else { now + micros(left) };
        if !left.is_zero() {
            tracing::info!(
                seconds = left.as_secs(),
                "Redis was started a short while ago without an append-only file: mutexes are kept back for those who may still hold \
                 them"
            );
        }
        Ok(Self { grace_until, grace_over: Instant::now() + left + Duration::from_secs(1) })
    }

    /// What the scripts take for `World::grace_until`; 0 for none.
    pub(super) fn grace(&self) -> Micros {
        if self.grace_until != 0 && Instant::now() < self.grace_over { self.grace_until } else { 0 }
    }
}

fn warn_once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing::warn!("Redis does not say its maxmemory-policy: see that it is noeviction, or locks may be dropped");
    });
}

/// The fields of `INFO`.
#[derive(Debug)]
pub(super) struct Info(HashMap<String, String>);

impl Info {
    pub(super) fn read(value: &Value) -> Result<Self, Failure> {
        let text = reply::text(value)?;
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        Ok(Self(fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }

    pub(super) fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }
}
