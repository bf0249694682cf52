use std::time::Duration;

use celeriac_broker::{Queue, QueueInfo};
use tokio::time::Instant;

use crate::{Error, shared::Shared};

/// How often the queues are looked at while they change.
const TICK: Duration = Duration::from_millis(20);

/// How many looks in a row must find nothing: a message that moves between two queues could hide from one.
const LOOKS: u32 = 3;

/// Resolves when nothing is ready, running, delayed or deferred in any of `queues`.
///
/// The longer nothing changes, the rarer the looks: each waits 2 % of the time since the last change.
pub(super) async fn reached<S>(shared: &Shared<S>, queues: &[Queue]) -> Result<(), Error> {
    let (mut quiet, mut last, mut since) = (0, None, Instant::now());
    while quiet < LOOKS {
        tokio::time::sleep(TICK.max(since.elapsed() / 50)).await;
        let seen = look(shared, queues).await?;
        quiet = if seen.quiet { quiet + 1 } else { 0 };
        if last.as_ref() != Some(&seen) {
            (last, since) = (Some(seen), Instant::now());
        }
    }
    Ok(())
}

/// What one look found.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    quiet: bool,
    settled: u64,
    queues: Vec<Option<QueueInfo>>,
}

async fn look<S>(shared: &Shared<S>, queues: &[Queue]) -> Result<Seen, Error> {
    let mut quiet = shared.running.is_empty();
    let mut infos = Vec::with_capacity(queues.len());
    for queue in queues {
        let info = shared.broker.transport().queue(&queue.name).await?;
        if let Some(info) = &info {
            quiet &= info.ready == Some(0) && info.running.unwrap_or(0) == 0;
            // Asked last, and only when all else is quiet: it may be many questions.
            quiet = quiet && delayed(shared, info).await? == 0;
        }
        infos.push(info.map(without_age));
    }
    Ok(Seen { quiet, settled: shared.counters.tally().outcomes.values().sum(), queues: infos })
}

async fn delayed<S>(shared: &Shared<S>, info: &QueueInfo) -> Result<u64, Error> {
    let delayed = match info.delayed {
        Some(delayed) => Some(delayed),
        None => shared.broker.transport().delayed(&info.name).await?,
    };
    let fault = "this broker can't tell how many messages are delayed; use run() or run_until(..)";
    delayed.ok_or_else(|| Error::config("run_until_idle", fault))
}

/// Ages change all the time.
fn without_age(mut info: QueueInfo) -> QueueInfo {
    info.oldest = None;
    info
}
