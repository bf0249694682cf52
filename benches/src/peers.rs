//! Other task queues on the same job: their own producer fills a classic queue, one worker process group empties it.

mod commands;
mod depth;

use std::time::Duration;

use celeriac::{Broker, Queue};
use tokio::process::Child;

use self::{
    commands::{Peer, peers},
    depth::Depth,
};
use crate::{
    Failure,
    child::WorkerProcess,
    measure::{Settings, interleave},
    noop, raw,
    row::{Goal, Row},
};

const BENCH: &str = "peers";

/// The longest that one block may take.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let url = raw::url()?;
    let queue = Queue::new(noop::QUEUE)?.classic();
    let broker = Broker::builder().url(&url).queue(queue.clone()).build()?;
    // What the other benchmarks may have left is a quorum queue.
    broker.transport().delete(&queue.name).await?;
    broker.transport().declare(&queue).await?;
    let depth = Depth::connect(&url).await?;
    let count = settings.operations(10_000);
    let peers = peers().await;

    // The first side is ours.
    let blocks = interleave(settings, 1 + peers.len(), async |side| {
        let rate = match side.checked_sub(1) {
            None => ours(&broker, &depth, &url, count).await?,
            Some(peer) => theirs(&peers[peer], &depth, &url, count).await?,
        };
        Ok(vec![rate])
    })
    .await?;
    broker.transport().delete(&queue.name).await?;
    broker.close().await;

    let ours = blocks.of(0, 0);
    let rows = peers.iter().enumerate().map(|(number, peer)| {
        let row = Row::alone(BENCH, "no-op, classic queue, late ack, prefetch 128", "tasks/s", &ours);
        row.against(peer.name, &ours, &blocks.of(1 + number, 0)).goal(Goal::AtLeast(peer.goal))
    });
    Ok(rows.collect())
}

async fn ours(broker: &Broker, depth: &Depth, url: &str, count: u64) -> Result<f64, Failure> {
    noop::publish(broker, count).await?;
    let worker = WorkerProcess::start("noop", url)?;
    let rate = depth.emptied(noop::QUEUE, count, PATIENCE).await?;
    worker.ended().await?;
    Ok(rate)
}

async fn theirs(peer: &Peer, depth: &Depth, url: &str, count: u64) -> Result<f64, Failure> {
    let mut worker: Option<Child> = None;
    if !depth.exists(peer.queue).await? {
        // Some declare their queue only when they consume.
        worker = Some(peer.work(url).spawn()?);
        depth.appears(peer.queue, PATIENCE).await?;
    }
    if let Some(worker) = worker {
        commands::end(worker).await?;
    }
    let status = peer.produce(url, count).status().await?;
    if !status.success() {
        return Err(format!("the producer of {}: {status}", peer.name).into());
    }
    let worker = peer.work(url).spawn()?;
    let rate = depth.emptied(peer.queue, count, PATIENCE).await;
    commands::end(worker).await?;
    rate
}
