//! Makes a connection, shakes hands over it, and makes another when this one is broken.

use std::sync::Arc;

use deadpool_redis::redis::{Pipeline, cmd};
use tokio::{sync::watch, time::timeout};

use super::{
    backoff::Backoff,
    facts::Facts,
    failure::Failure,
    link::{Live, Status},
    options::RedisOptions,
    reply,
    script::{Script, Scripts},
    source::Source,
};

/// What users of connections have found out.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// The last connection that is of no use any more.
    pub(super) broken: u64,
    /// How often somebody gave up waiting for an answer.
    pub(super) given_up: u64,
}

/// The one that makes connections.
#[derive(Debug)]
pub(super) struct Keeper {
    pub(super) source: Source,
    pub(super) options: RedisOptions,
    pub(super) scripts: Arc<Scripts>,
    pub(super) doubts: watch::Receiver<Doubts>,
    /// That of the last connection.
    pub(super) number: u64,
}

impl Keeper {
    /// Works for ever.
    pub(super) async fn run(mut self, status: watch::Sender<Status>) {
        let mut backoff = Backoff::default();
        loop {
            match self.connect().await {
                Ok(live) => {
                    let live = Arc::new(live);
                    status.send_replace(Status::Up(live.clone()));
                    backoff.reset();
                    self.until_broken(&live).await;
                    status.send_replace(Status::Down(None));
                }
                Err(failure) => {
                    tracing::warn!(address = %self.source.address, "no connection to Redis: {}", failure.message());
                    status.send_replace(Status::Down(Some(failure)));
                    backoff.pause().await;
                }
            }
        }
    }

    /// Returns when a connection is found broken, or keeps silent after somebody has given up on it.
    async fn until_broken(&mut self, live: &Live) {
        loop {
            let seen = self.doubts.borrow_and_update().given_up;
            let doubts = self.doubts.wait_for(|doubts| doubts.broken >= live.number || doubts.given_up > seen).await;
            if !doubts.is_ok_and(|doubts| doubts.broken < live.number) {
                return;
            }
            let mut connection = live.connection.clone();
            let ping = cmd("PING");
            let answer = timeout(self.options.response_timeout, connection.send_packed_command(&ping)).await;
            if !matches!(answer, Ok(Ok(_))) {
                return;
            }
        }
    }

    async fn connect(&mut self) -> Result<Live, Failure> {
        let bound = self.options.response_timeout;
        let mut connection = self.source.connect(&self.options).await?;
        let mut handshake = Pipeline::new();
        for script in Script::ALL {
            handshake.cmd("SCRIPT").arg("LOAD").arg(self.scripts.text(script));
        }
        handshake.cmd("INFO").cmd("TIME");
        let sent = connection.send_packed_commands(&handshake, 0, handshake.len());
        let replies = timeout(bound, sent)
            .await
            .map_err(|_| Failure::Unavailable(format!("no answer to the handshake within {bound:?}")))??;
        let (digests, rest) = replies.split_at_checked(Script::ALL.len()).unwrap_or((&[], &[]));
        let [info, time] = rest else { return Err(Failure::strange("a handshake of another length")) };
        let digests: Vec<_> = digests.iter().map(reply::text).collect::<Result<_, _>>()?;
        let facts = Facts::read(info, time, &self.options)?;
        let digests = digests.try_into().map_err(|_| Failure::strange("a handshake of another length"))?;
        self.number += 1;
        Ok(Live { connection, facts, digests, number: self.number })
    }
}
