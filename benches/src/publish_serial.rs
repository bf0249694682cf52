//! Publishing one by one, each confirmation awaited.

use std::time::Instant;

use celeriac::{Broker, Queue};

use crate::{
    Failure,
    measure::{Settings, interleave, rate},
    noop::{self, Noop},
    raw::{self, Raw},
    row::{Goal, Row},
};

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let url = raw::url()?;
    let broker = Broker::new(&url)?;
    let queue = Queue::new(noop::QUEUE)?;
    // What an earlier run may have left.
    broker.transport().delete(&queue.name).await?;
    broker.transport().declare(&queue).await?;
    let raw = Raw::connect(&url, noop::QUEUE).await?;
    let padding = noop::padding()?;
    let message = noop::message(padding.clone())?;
    let properties = raw::properties_of(&message);
    let channel = raw.confirming().await?;
    let count = settings.operations(4_000);

    let blocks = interleave(settings, 2, async |side| {
        let begin = Instant::now();
        for _ in 0..count {
            match side {
                0 => drop(broker.message(Noop { padding: padding.clone() }).publish().await?),
                _ => raw.publish(&channel, &message.body, properties.clone()).await?,
            }
        }
        let measured = rate(count, begin.elapsed());
        broker.transport().purge(&queue.name).await?;
        Ok(vec![measured])
    })
    .await?;
    broker.transport().delete(&queue.name).await?;
    broker.close().await;

    let (ours, theirs) = (blocks.of(0, 0), blocks.of(1, 0));
    let row = Row::alone("publish-serial", "one by one, 256 B, quorum", "messages/s", &ours);
    Ok(vec![row.against("lapin, same bytes", &ours, &theirs).goal(Goal::AtLeast(0.95))])
}
