//! Hearing hints: by subscription where there is an address to subscribe at, otherwise from a list.
//!
//! Both lose hints while there is no connection, which is why the process then renews everything.

use std::time::Duration;

use deadpool_redis::redis::{Value, cmd};
use futures_util::StreamExt;
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, timeout},
};

use super::{backoff::Backoff, failure::Failure, options::RedisOptions, source::Source};
use crate::store::{Hint, LeaseId, ProcessId};

/// How often a silent connection is asked whether it is one.
const ALIVE: Duration = Duration::from_secs(5);

/// What hears for one process.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) source: Source,
    pub(super) options: RedisOptions,
    /// Channel or list, without the namespace.
    pub(super) inbox: String,
    pub(super) hints: mpsc::Sender<Hint>,
    /// Whether it hears now.
    pub(super) hears: watch::Sender<bool>,
}

/// Where the hints of a process go, without the namespace: `p:` is a channel, `l:` a list.
pub(super) fn inbox(source: &Source, process: &ProcessId) -> String {
    format!("{}:{process}", if source.subscribes() { 'p' } else { 'l' })
}

impl Listener {
    /// Hears until nobody wants to know.
    pub(super) async fn run(self) {
        let mut backoff = Backoff::default();
        let mut first = true;
        loop {
            let heard = async {
                if self.source.subscribes() {
                    self.subscribe(first, &mut backoff).await
                } else {
                    self.take(first, &mut backoff).await
                }
            };
            let ended = tokio::select! {
                ended = heard => ended,
                () = self.hints.closed() => return,
            };
            self.hears.send_replace(false);
            if let Err(failure) = ended {
                tracing::warn!(address = %self.source.address, "no hints from Redis: {}", failure.message());
            }
            first = false;
            backoff.pause().await;
        }
    }

    async fn begin(&self, first: bool, backoff: &mut Backoff) {
        backoff.reset();
        self.hears.send_replace(true);
        if !first {
            // The one hint that may not be lost.
            let _ = self.hints.send(Hint::Resync).await;
        }
    }

    async fn subscribe(&self, first: bool, backoff: &mut Backoff) -> Result<(), Failure> {
        let bound = self.options.response_timeout;
        let channel = format!("{}:{}", self.options.namespace, self.inbox);
        let connecting = async {
            let (mut sink, stream) = self.source.server().await?.get_async_pubsub().await?.split();
            sink.subscribe(&channel).await?;
            Ok::<_, Failure>((sink, stream))
        };
        let (mut sink, mut stream) = timeout(bound, connecting).await.map_err(|_| silent(bound))??;
        self.begin(first, backoff).await;
        let mut alive = interval(ALIVE);
        alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = stream.next() => match message {
                    Some(message) => self.pass_on(message.get_payload_bytes()),
                    None => return Err(Failure::Unavailable("the connection was closed".into())),
                },
                _ = alive.tick() => {
                    timeout(bound, sink.ping::<Value>()).await.map_err(|_| silent(bound))??;
                }
            }
        }
    }

    /// A pool's connections cannot subscribe, so one of them waits for a list.
    async fn take(&self, first: bool, backoff: &mut Backoff) -> Result<(), Failure> {
        let bound = self.options.response_timeout;
        let mut connection = self.source.connect(&self.options).await?;
        connection.set_response_timeout(ALIVE + bound);
        let mut ping = cmd("PING");
        ping.arg("celeriac");
        timeout(bound, connection.send_packed_command(&ping)).await.map_err(|_| silent(bound))??;
        self.begin(first, backoff).await;
        let mut take = cmd("BLPOP");
        take.arg(format!("{}:{}", self.options.namespace, self.inbox)).arg(ALIVE.as_secs());
        loop {
            let taken = connection.send_packed_command(&take).await?.extract_error()?;
            if let Value::Array(taken) = &taken
                && let [_, Value::BulkString(hint)] = &**taken
            {
                self.pass_on(hint);
            }
        }
    }

    fn pass_on(&self, hint: &[u8]) {
        // What cannot be read is from a later version, and a hint all the same: its sender does not need us to understand.
        if let Some(hint) = read(hint) {
            // Full is as good as lost.
            let _ = self.hints.try_send(hint);
        }
    }
}

fn silent(bound: Duration) -> Failure {
    Failure::Unavailable(format!("no answer within {bound:?}"))
}

/// `g <lease> <lock>` or `l<after> <lease> <lock>`.
fn read(hint: &[u8]) -> Option<Hint> {
    let mut words = std::str::from_utf8(hint).ok()?.splitn(3, ' ');
    let (news, lease, key) = (words.next()?, words.next()?, words.next()?.parse().ok()?);
    let lease = LeaseId::from(lease);
    match news.strip_prefix('l') {
        Some(after) => Some(Hint::Look { key, lease, after: Duration::from_micros(after.parse().ok()?) }),
        None => (news == "g").then_some(Hint::Granted { key, lease }),
    }
}
