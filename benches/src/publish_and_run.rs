//! Publishing and running at the same time, in one process.

use std::time::Instant;

use celeriac::{Broker, Pool, Queue};

use crate::{
    Failure,
    measure::{Settings, interleave, rate},
    noop::{self, Meter},
    raw::{self, Acks, PREFETCH, Raw},
    row::{Goal, Row},
};

const IN_FLIGHT: usize = 512;

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let url = raw::url()?;
    let broker = Broker::new(&url)?;
    let queue = Queue::new(noop::QUEUE)?;
    // What an earlier run may have left.
    broker.transport().delete(&queue.name).await?;
    broker.transport().declare(&queue).await?;
    let (publishing, consuming) = (Raw::connect(&url, noop::QUEUE).await?, Raw::connect(&url, noop::QUEUE).await?);
    let message = noop::message(noop::padding()?)?;
    let properties = raw::properties_of(&message);
    let count = settings.operations(50_000);

    let blocks = interleave(settings, 2, async |side| {
        let begin = Instant::now();
        let took = if side == 0 {
            let meter = Meter::new(count);
            let work = noop::work(broker.clone(), Pool::new(PREFETCH), meter.clone());
            tokio::try_join!(noop::publish(&broker, count), work)?;
            meter.took(Some(begin))?
        } else {
            let publish = publishing.publish_many(&message.body, &properties, count, IN_FLIGHT);
            tokio::try_join!(publish, consuming.consume(count, Acks::Pipelined))?;
            begin.elapsed()
        };
        // The raw side's channel takes the last acknowledgements with it; what comes back is not the next block's.
        let left = broker.transport().purge(&queue.name).await?;
        if left > PREFETCH.into() {
            return Err(format!("{left} of {count} were left").into());
        }
        Ok(vec![rate(count, took)])
    })
    .await?;
    broker.transport().delete(&queue.name).await?;
    broker.close().await;

    let (ours, theirs) = (blocks.of(0, 0), blocks.of(1, 0));
    let row = Row::alone("publish-and-run", "at the same time, quorum", "tasks/s", &ours);
    Ok(vec![row.against("lapin, pipelined acks", &ours, &theirs).goal(Goal::AtLeast(0.85))])
}
