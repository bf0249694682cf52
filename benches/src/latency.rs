//! From the call of publish to the first line of the handler, at 100 tasks a second.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use celeriac::{Broker, Queue, prelude::*};
use futures_util::StreamExt;
use lapin::options::BasicAckOptions;
use tokio::sync::{Notify, mpsc};

use crate::{
    Failure,
    measure::{Settings, interleave, quantile},
    raw::{self, Raw},
    row::{Goal, Row},
};

/// Where stamps are published to.
pub(crate) const QUEUE: &str = "bench.latency";

/// 100 a second.
pub(crate) const PERIOD: Duration = Duration::from_millis(10);

/// Says when it starts.
#[task(name = "bench.stamp", queue = "bench.latency")]
pub(crate) async fn stamp(ctx: Context<mpsc::UnboundedSender<(u32, Instant)>>, number: u32) -> Result<(), TaskError> {
    let _ = ctx.state().send((number, Instant::now()));
    Ok(())
}

/// A worker that hands on when its handlers start, until told to stop.
pub(crate) struct Stamps {
    pub(crate) started: mpsc::UnboundedReceiver<(u32, Instant)>,
    stop: Arc<Notify>,
    worker: tokio::task::JoinHandle<Result<(), Failure>>,
}

impl Stamps {
    pub(crate) fn begin(broker: &Broker) -> Result<Self, Failure> {
        let (sender, started) = mpsc::unbounded_channel();
        let worker = Worker::builder()
            .state(move || async move { Ok::<_, Infallible>(sender) })
            .register::<Stamp>()
            .broker(broker.clone())
            .pool(QUEUE, Pool::new(8))
            .build()?;
        let stop = Arc::new(Notify::new());
        let stopped = stop.clone();
        let worker = tokio::spawn(async move {
            worker.run_until(async move { stopped.notified().await }).await?;
            Ok(())
        });
        Ok(Self { started, stop, worker })
    }

    pub(crate) async fn end(self) -> Result<(), Failure> {
        self.stop.notify_one();
        self.worker.await?
    }
}

/// The p50 and p99 of some latencies, in microseconds.
pub(crate) fn quantiles(latencies: &mut [f64]) -> Vec<f64> {
    latencies.sort_by(f64::total_cmp);
    vec![quantile(latencies, 0.5), quantile(latencies, 0.99)]
}

/// Publishes at the rate, and waits until all have started.
pub(crate) async fn ours(broker: &Broker, stamps: &mut Stamps, count: u32) -> Result<Vec<f64>, Failure> {
    let mut ticks = tokio::time::interval(PERIOD);
    let mut sent = Vec::new();
    for number in 0..count {
        ticks.tick().await;
        sent.push(Instant::now());
        broker.publish(Stamp { number }).await?;
    }
    let mut latencies = Vec::new();
    while latencies.len() < sent.len() {
        let (number, started) = stamps.started.recv().await.ok_or("the worker ended")?;
        latencies.push((started - sent[number as usize]).as_secs_f64() * 1e6);
    }
    Ok(quantiles(&mut latencies))
}

async fn theirs(raw: &Raw, body: &[u8], properties: &lapin::BasicProperties, count: u32) -> Result<Vec<f64>, Failure> {
    let publishing = raw.confirming().await?;
    let (channel, mut consumer) = raw.consumer().await?;
    let sent = Mutex::new(Vec::new());
    let publish = async {
        let mut ticks = tokio::time::interval(PERIOD);
        for _ in 0..count {
            ticks.tick().await;
            sent.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
            raw.publish(&publishing, body, properties.clone()).await?;
        }
        Ok::<_, Failure>(())
    };
    let consume = async {
        let mut latencies = Vec::new();
        while latencies.len() < count as usize {
            let delivery = consumer.next().await.ok_or("the consumer ended")??;
            // One at a time: they arrive in the order in which they were sent.
            let sent = sent.lock().unwrap_or_else(PoisonError::into_inner)[latencies.len()];
            latencies.push(sent.elapsed().as_secs_f64() * 1e6);
            channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await?;
        }
        Ok(latencies)
    };
    let ((), mut latencies) = tokio::try_join!(publish, consume)?;
    channel.close(200, "done".into()).await?;
    Ok(quantiles(&mut latencies))
}

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let url = raw::url()?;
    let broker = Broker::new(&url)?;
    let queue = Queue::new(QUEUE)?;
    broker.transport().declare(&queue).await?;
    let raw = Raw::connect(&url, QUEUE).await?;
    let (_, message) = broker.message(Stamp { number: 100 }).build()?;
    let properties = raw::properties_of(&message);
    let count = u32::try_from(settings.operations(400))?;

    let blocks = interleave(settings, 2, async |side| {
        if side == 0 {
            let mut stamps = Stamps::begin(&broker)?;
            // The first one waits for the consumer.
            ours(&broker, &mut stamps, 10).await?;
            let measured = ours(&broker, &mut stamps, count).await?;
            stamps.end().await?;
            Ok(measured)
        } else {
            theirs(&raw, &message.body, &properties, count).await
        }
    })
    .await?;
    broker.transport().delete(&queue.name).await?;
    broker.close().await;

    Ok(["p50", "p99"]
        .into_iter()
        .enumerate()
        .map(|(metric, name)| {
            let (ours, theirs) = (blocks.of(0, metric), blocks.of(1, metric));
            let row = Row::alone("latency", format!("publish to handler at 100/s, {name}"), "us", &ours);
            row.against("lapin, publish to delivery", &ours, &theirs).goal(Goal::AtMost(1.3))
        })
        .collect())
}
