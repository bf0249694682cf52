//! From the call of publish to the first line of the handler on a file, at 100 tasks a second.

use std::time::{SystemTime, UNIX_EPOCH};

use celeriac::Broker;

use crate::{
    Failure,
    child::{TimeOfDay, WorkerProcess},
    latency::{self, PERIOD, Stamps, quantiles},
    measure::{Settings, interleave},
    row::{Goal, Row},
    sqlite_noop::scratch,
};

/// The worker's place, `synchronous`, and the goal for the median, in microseconds.
const CASES: [(&str, &str, f64); 4] = [
    ("in process", "full", 2_000.0),
    ("in process", "normal", 1_000.0),
    ("across processes", "full", 15_000.0),
    ("across processes", "normal", 15_000.0),
];

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let count = u32::try_from(settings.operations(200))?;
    let blocks = interleave(settings, CASES.len(), async |case| {
        let (place, synchronous, _) = CASES[case];
        let folder = tempfile::tempdir_in(scratch()?)?;
        let url = format!("sqlite://{}?synchronous={synchronous}", folder.path().join("latency.db").display());
        let broker = Broker::new(&url)?;
        let measured =
            if place == "in process" { within(&broker, count).await? } else { across(&broker, &url, count).await? };
        broker.close().await;
        Ok(measured)
    })
    .await?;
    let mut rows = Vec::new();
    for (case, (place, synchronous, goal)) in CASES.into_iter().enumerate() {
        let row = |name, metric| {
            let what = format!("publish to handler at 100/s, {place}, {synchronous}, {name}");
            Row::alone("sqlite-latency", what, "us", &blocks.of(case, metric))
        };
        rows.push(row("p50", 0).goal(Goal::AtMost(goal)));
        rows.push(row("p99", 1));
    }
    Ok(rows)
}

async fn within(broker: &Broker, count: u32) -> Result<Vec<f64>, Failure> {
    let mut stamps = Stamps::begin(broker)?;
    latency::ours(broker, &mut stamps, 10).await?;
    let measured = latency::ours(broker, &mut stamps, count).await?;
    stamps.end().await?;
    Ok(measured)
}

async fn across(broker: &Broker, url: &str, count: u32) -> Result<Vec<f64>, Failure> {
    let mut worker = WorkerProcess::start("clock", url)?;
    // The first one waits for the process.
    broker.publish(TimeOfDay { number: 0 }).await?;
    worker.line().await?;
    let mut ticks = tokio::time::interval(PERIOD);
    let mut sent = Vec::new();
    for number in 0..count {
        ticks.tick().await;
        sent.push(SystemTime::now());
        broker.publish(TimeOfDay { number }).await?;
    }
    let mut latencies = Vec::new();
    for _ in 0..count {
        let line = worker.line().await?;
        let (number, nanos) = line.split_once(' ').ok_or("no time of day")?;
        let sent = sent[number.parse::<usize>()?].duration_since(UNIX_EPOCH)?.as_nanos();
        #[allow(clippy::cast_precision_loss, reason = "less than a minute")]
        latencies.push(nanos.parse::<u128>()?.saturating_sub(sent) as f64 / 1e3);
    }
    worker.ended().await?;
    Ok(quantiles(&mut latencies))
}
