//! When nothing moves any more: digests that died without a word, and a worker's end.

use std::time::{Duration, UNIX_EPOCH};

use celeriac_broker::{Broker, Message, QueueName, Request, Task, message::names, transport::Verdict};

use super::{
    collect::Collector,
    journal::Entry,
    place::{Place, report_queue},
    tasks::{DIGEST_QUEUE, Digest, Failed},
    work::Activity,
};
use crate::Error;

/// How long nothing may move before the dead letters are looked at, or a worker that is alone ends.
pub(super) const QUIET: Duration = Duration::from_secs(5);

/// How often that is checked.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Reports digests of this run that became dead letters without a report: their workers died with them.
/// For ever; it is dropped when the run is complete.
pub(super) async fn bring_in(place: &Place, broker: &Broker, collector: &Collector) {
    let mut progress = collector.progress();
    loop {
        if tokio::time::timeout(QUIET, progress.changed()).await.is_ok_and(|changed| changed.is_ok()) {
            continue;
        }
        let buried = match buried(place, broker, collector).await {
            Ok(buried) => buried,
            Err(error) => {
                tracing::debug!(error = error.line(), "the dead letters can't be looked at");
                continue;
            }
        };
        for failed in buried {
            if let Err(error) = collector.take(Entry::Failed(failed)).await {
                tracing::warn!(%error, "a dead letter could not be reported");
            }
        }
    }
}

async fn buried(place: &Place, broker: &Broker, collector: &Collector) -> Result<Vec<Failed>, Error> {
    // Before the walk is over it is not known since when it has gone on.
    let Some(walked) = collector.merged().walked() else { return Ok(Vec::new()) };
    let since = UNIX_EPOCH + Duration::from_millis(walked.started);
    let looking = || "can't look at the dead letters".to_owned();
    let dead = broker.queue(DIGEST_QUEUE).and_then(|queue| queue.name.dead()).map_err(Error::broker(looking()))?;
    if broker.transport().queue(&dead).await.map_err(Error::broker(looking()))?.is_none() {
        return Ok(Vec::new());
    }
    let mut buried = Vec::new();
    let mut visit = |message: &Message| {
        let fresh = message.headers.instant(names::DEAD_AT).is_some_and(|died| died >= since);
        if fresh && let Some(failed) = failed(message, &place.run) {
            buried.push(failed);
        }
        Verdict::Keep
    };
    broker.transport().sweep(&dead, usize::MAX, &mut visit).await.map_err(Error::broker(looking()))?;
    let merged = collector.merged();
    buried.retain(|failed| !merged.knows(&failed.path.0));
    Ok(buried)
}

/// The failure that a dead letter stands for, where it is a digest of this run.
fn failed(message: &Message, run: &str) -> Option<Failed> {
    let request = Request::decode(message).ok().filter(|request| request.task == Digest::NAME)?;
    let arguments = request.bind(Digest::ARGS, true).ok()?;
    let digest: Digest = serde_json::from_value(serde_json::Value::Object(arguments)).ok()?;
    let error = message.headers.text(names::DEAD_ERROR).unwrap_or("its workers died with it").to_owned();
    (digest.run == run).then_some(Failed { path: digest.path, error, attempts: request.attempt })
}

/// Resolves when a process that only works has nothing left to do: the run is over, or nothing has moved for a while.
/// A worker that was started before the producer waits for it.
pub(super) async fn nothing_left(place: &Place, broker: &Broker, activity: &Activity) -> Result<(), Error> {
    let looking = || "can't look at the queues".to_owned();
    let digest = QueueName::new(DIGEST_QUEUE).map_err(Error::broker(looking()))?;
    let report = QueueName::new(report_queue(&place.run)).map_err(Error::broker(looking()))?;
    let mut tick = tokio::time::interval(LOOK_EVERY);
    let (mut produced, mut last, mut quiet) = (false, 0, Duration::ZERO);
    loop {
        tick.tick().await;
        let is_there = broker.transport().queue(&report).await.map_err(Error::broker(looking()))?.is_some();
        let waiting = broker.transport().queue(&digest).await.map_err(Error::broker(looking()))?;
        let waiting = waiting.is_some_and(|info| {
            info.ready != Some(0)
                || info.delayed.is_some_and(|many| many > 0)
                || info.running.is_some_and(|many| many > 0)
        });
        let (running, seen) = activity.look();
        if waiting || running || seen != last {
            (last, quiet) = (seen, Duration::ZERO);
            produced |= is_there;
            continue;
        }
        if produced && !is_there {
            return Ok(());
        }
        produced |= is_there;
        quiet += LOOK_EVERY;
        if produced && quiet >= QUIET {
            return Ok(());
        }
    }
}
