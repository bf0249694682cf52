//! Publishing with 512 confirmations open.

use std::time::Instant;

use celeriac::{Broker, Queue};

use crate::{
    Failure,
    cpu::Spent,
    measure::{Settings, interleave, rate},
    noop,
    raw::{self, Raw},
    row::{Goal, Row},
};

const BENCH: &str = "publish-pipelined";
const IN_FLIGHT: usize = 512;

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let url = raw::url()?;
    let broker = Broker::new(&url)?;
    let queue = Queue::new(noop::QUEUE)?;
    // What an earlier run may have left.
    broker.transport().delete(&queue.name).await?;
    broker.transport().declare(&queue).await?;
    let raw = Raw::connect(&url, noop::QUEUE).await?;
    let message = noop::message(noop::padding()?)?;
    let (equal, bare) = (raw::properties_of(&message), raw::bare());
    let count = settings.operations(100_000);

    let blocks = interleave(settings, 3, async |side| {
        let (cpu, begin) = (Spent::begin(), Instant::now());
        match side {
            0 => noop::publish(&broker, count).await?,
            1 => raw.publish_many(&message.body, &equal, count, IN_FLIGHT).await?,
            _ => raw.publish_many(&message.body, &bare, count, IN_FLIGHT).await?,
        }
        let measured = vec![rate(count, begin.elapsed()), cpu.micros_per(count)];
        let published = broker.transport().purge(&queue.name).await?;
        if published == count { Ok(measured) } else { Err(format!("{published} of {count} arrived").into()) }
    })
    .await?;
    broker.transport().delete(&queue.name).await?;
    broker.close().await;

    let (ours, cpu) = (blocks.of(0, 0), blocks.of(0, 1));
    let row = || Row::alone(BENCH, "512 confirms open, 256 B, quorum", "messages/s", &ours);
    Ok(vec![
        row().against("lapin, same bytes", &ours, &blocks.of(1, 0)).goal(Goal::AtLeast(0.9)),
        row().against("lapin, no headers", &ours, &blocks.of(2, 0)),
        Row::alone(BENCH, "CPU of the client", "us/message", &cpu).against("lapin, same bytes", &cpu, &blocks.of(1, 1)),
    ])
}
