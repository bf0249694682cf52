use super::{Memory, Nanos, Store, admin, group::Group, proxy::Proxy};
use crate::services::{Error, Redis};

/// What serves the workers, and suffers faults.
#[derive(Debug)]
pub(super) enum Server {
    /// One server, with something between it and the workers.
    Alone { redis: Redis, proxy: Proxy },
    /// Two servers and their sentinel. A sentinel gives the servers' own addresses to the workers, so nothing stands between.
    Watched(Box<Group>),
}

impl Server {
    /// Starts what a store needs; SQLite needs none.
    pub(super) fn start(store: Store) -> Result<Option<Self>, Error> {
        match store {
            Store::Sqlite => Ok(None),
            Store::Redis { memory } => {
                let redis = Redis::start_with(match memory {
                    Memory::None => &[],
                    Memory::Snapshots => &["--save", "1 1"],
                    Memory::All => &["--appendonly", "yes", "--appendfsync", "always"],
                })?;
                let proxy =
                    Proxy::to(redis.port()).map_err(|source| Error::io("starting a proxy".to_owned(), source))?;
                Ok(Some(Self::Alone { redis, proxy }))
            }
            Store::Sentinel => Ok(Some(Self::Watched(Box::new(Group::start()?)))),
        }
    }

    /// For who looks into it, and for the workers.
    pub(super) fn urls(&self) -> (String, String) {
        match self {
            Self::Alone { redis, proxy } => (redis.url(), format!("redis://127.0.0.1:{}/0", proxy.port())),
            Self::Watched(group) => (group.url(), group.url()),
        }
    }

    /// Says one command to the server that takes locks.
    pub(super) fn say(&self, command: &str) -> std::io::Result<()> {
        let port = match self {
            Self::Alone { redis, .. } => redis.port(),
            Self::Watched(group) => group.primary(),
        };
        admin::ask(port, command).map(drop)
    }

    /// Does what is due after a failover; gives its beginning when it is over.
    pub(super) fn tend(&mut self) -> std::io::Result<Option<Nanos>> {
        match self {
            Self::Alone { .. } => Ok(None),
            Self::Watched(group) => group.tend(),
        }
    }

    /// Whether no failover goes on.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Self::Alone { .. } => true,
            Self::Watched(group) => group.is_whole(),
        }
    }
}
