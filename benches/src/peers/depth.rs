//! A queue's depth, seen from outside: the same clock for every peer.

use std::time::{Duration, Instant};

use lapin::{Connection, ConnectionProperties, options::QueueDeclareOptions, types::FieldTable};

use crate::{Failure, measure::rate};

const TICK: Duration = Duration::from_millis(5);

/// Looks at queues.
pub(super) struct Depth(Connection);

impl Depth {
    pub(super) async fn connect(url: &str) -> Result<Self, Failure> {
        Ok(Self(Connection::connect(url, ConnectionProperties::default()).await?))
    }

    pub(super) async fn exists(&self, queue: &str) -> Result<bool, Failure> {
        // A failed look closes its channel.
        let channel = self.0.create_channel().await?;
        let options = QueueDeclareOptions::durable().passive();
        Ok(channel.queue_declare(queue.into(), options, FieldTable::default()).await.is_ok())
    }

    pub(super) async fn appears(&self, queue: &str, patience: Duration) -> Result<(), Failure> {
        let appeared = async {
            while !self.exists(queue).await? {
                tokio::time::sleep(TICK).await;
            }
            Ok(())
        };
        tokio::time::timeout(patience, appeared).await?
    }

    /// How fast a queue of `count` messages becomes empty, by the last nine tenths of them.
    pub(super) async fn emptied(&self, queue: &str, count: u64, patience: Duration) -> Result<f64, Failure> {
        let channel = self.0.create_channel().await?;
        let mut begun = None;
        let emptied = async {
            loop {
                let options = QueueDeclareOptions::durable().passive();
                let looked = channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
                let left = u64::from(looked.message_count());
                if begun.is_none() && left <= count / 10 * 9 {
                    begun = Some((Instant::now(), left));
                }
                if left == 0 {
                    let (since, of) = begun.ok_or("it was empty from the beginning")?;
                    return Ok(rate(of, since.elapsed()));
                }
                tokio::time::sleep(TICK).await;
            }
        };
        tokio::time::timeout(patience, emptied).await.map_err(|_| format!("{queue} is not empty in time"))?
    }
}
