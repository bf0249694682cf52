//! Running tasks that do nothing, from a full queue.

use celeriac::{Broker, Pool, Queue};

use crate::{
    Failure,
    cpu::Spent,
    measure::{Settings, interleave, rate},
    noop::{self, Meter},
    raw::{self, Acks, PREFETCH, Raw},
    row::{Goal, Row},
};

const BENCH: &str = "run-noop";

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let url = raw::url()?;
    let broker = Broker::new(&url)?;
    let queue = Queue::new(noop::QUEUE)?;
    // What an earlier run may have left.
    broker.transport().delete(&queue.name).await?;
    broker.transport().declare(&queue).await?;
    let raw = Raw::connect(&url, noop::QUEUE).await?;
    let count = settings.operations(50_000);

    let blocks = interleave(settings, 3, async |side| {
        noop::publish(&broker, count).await?;
        let cpu = Spent::begin();
        let took = match side {
            0 => {
                let meter = Meter::new(count);
                noop::work(broker.clone(), Pool::new(PREFETCH), meter.clone()).await?;
                meter.took(None)?
            }
            1 => raw.consume(count, Acks::Pipelined).await?,
            _ => raw.consume(count, Acks::Multiple).await?,
        };
        let measured = vec![rate(count, took), cpu.micros_per(count)];
        let left = broker.transport().purge(&queue.name).await?;
        // A channel that closes may take its last acks with it: the broker holds some back while its queue is busy.
        if left <= PREFETCH.into() { Ok(measured) } else { Err(format!("{left} of {count} were left").into()) }
    })
    .await?;
    broker.transport().delete(&queue.name).await?;
    broker.close().await;

    let (ours, cpu) = (blocks.of(0, 0), blocks.of(0, 1));
    let row = || Row::alone(BENCH, "full quorum queue, prefetch 128, late ack", "tasks/s", &ours);
    Ok(vec![
        row().against("lapin, pipelined acks", &ours, &blocks.of(1, 0)).goal(Goal::AtLeast(0.9)),
        row().against("lapin, acks of 64 at once", &ours, &blocks.of(2, 0)).goal(Goal::AtLeast(0.75)),
        Row::alone(BENCH, "CPU of the worker", "us/task", &cpu).against(
            "lapin, pipelined acks",
            &cpu,
            &blocks.of(1, 1),
        ),
    ])
}
