use std::{sync::Arc, time::Duration};

use celeriac_broker::Outcome;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::pools::Pools;
use crate::{DrainReport, Tally, execution::conclude, limits::Ended, shared::Shared, signals::StopRequests};

/// How long before the end handlers are told, so that they can save what they have.
const LAST_CALL: Duration = Duration::from_secs(1);

/// How long dropped runs may take to be given back.
const GIVING_BACK: Duration = Duration::from_secs(5);

/// Stops fetching, lets runs finish for up to `timeout` or until the next request, and gives the rest back.
pub(super) async fn drain<S: Send + Sync + 'static>(
    shared: &Arc<Shared<S>>,
    pools: Pools,
    requests: &mut StopRequests,
    timeout: Duration,
) -> DrainReport {
    let started = Instant::now();
    let before = shared.counters.tally();
    shared.stop.fetching.cancel();
    tracing::info!(running = shared.running.jobs().len(), ?timeout, "worker stopping: waiting for what runs");

    let last_call = async {
        tokio::time::sleep(timeout.saturating_sub(LAST_CALL)).await;
        shared.stop.last_call.cancel();
        tokio::time::sleep(timeout.min(LAST_CALL)).await;
    };
    tokio::select! {
        biased;
        () = pools.ended() => {}
        () = requests.next() => tracing::info!("asked again: giving back at once"),
        () = last_call => {}
    }
    shared.stop.abort.cancel();
    // Not awaited for ever: a handler that blocks its thread never gets here.
    let _ = tokio::time::timeout(GIVING_BACK, pools.ended()).await;

    let mut stuck = Vec::new();
    for job in shared.running.jobs() {
        stuck.push(format!("{} {}", job.task, job.ctx.id()));
        if !job.is_settled() {
            let _ = tokio::time::timeout(
                GIVING_BACK,
                conclude(shared, &job, Ended::Aborted).instrument(job.ctx.span().clone()),
            )
            .await;
        }
    }
    // A process that ends at once could take its last acknowledgements with it.
    shared.broker.transport().flush().await;
    let tally = shared.counters.tally();
    let report = DrainReport {
        finished: finished(&tally).saturating_sub(finished(&before)),
        given_back: tally.of(Outcome::Deferred).saturating_sub(before.of(Outcome::Deferred)),
        stuck,
        took: started.elapsed(),
        tally,
    };
    tracing::info!(%report, "worker stopped");
    report
}

fn finished(tally: &Tally) -> u64 {
    tally.outcomes.iter().filter(|(outcome, _)| **outcome != Outcome::Deferred).map(|(_, count)| count).sum()
}
