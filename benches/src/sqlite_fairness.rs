//! Four worker processes on one file: what each of them gets, and how long one may have to wait.

use std::time::Duration;

use celeriac::{Broker, QueueName};

use crate::{
    Failure,
    child::{self, Paced, WorkerProcess},
    measure::{Settings, interleave},
    row::{Goal, Row},
    sqlite_noop::scratch,
};

const BENCH: &str = "sqlite-fairness";
const PROCESSES: usize = 4;

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let count = settings.operations(40_000);
    let blocks = interleave(settings, 1, async |_| block(count).await).await?;
    Ok(vec![
        Row::alone(BENCH, "four processes, the largest share by the smallest", "ratio", &blocks.of(0, 0))
            .goal(Goal::AtMost(2.0)),
        Row::alone(BENCH, "four processes, the longest wait for a task", "ms", &blocks.of(0, 1)).worst_at_most(100.0),
    ])
}

async fn block(count: u64) -> Result<Vec<f64>, Failure> {
    let folder = tempfile::tempdir_in(scratch()?)?;
    let url = format!("sqlite://{}", folder.path().join("fairness.db").display());
    let broker = Broker::new(&url)?;
    for sent in broker.publish_all((0..count).map(|_| Paced {})).await {
        sent?;
    }
    let mut workers = Vec::new();
    for _ in 0..PROCESSES {
        workers.push(WorkerProcess::start("pace", &url)?);
    }
    for worker in &mut workers {
        worker.line().await?;
    }
    for worker in &mut workers {
        worker.go().await?;
    }
    let name = QueueName::new(child::PACED)?;
    let left = async || {
        let info = broker.transport().queue(&name).await?;
        Ok::<_, Failure>(info.map_or(0, |info| info.ready.unwrap_or(0) + info.running.unwrap_or(0)))
    };
    while left().await? > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (mut shares, mut longest) = (Vec::new(), 0.0_f64);
    for mut worker in workers {
        worker.stop();
        let line = worker.line().await?;
        let (share, wait) = line.split_once(' ').ok_or("no share")?;
        shares.push(share.parse::<f64>()?);
        longest = longest.max(wait.parse::<f64>()? / 1e3);
        worker.ended().await?;
    }
    broker.close().await;
    let (most, least) = (shares.iter().copied().fold(0.0, f64::max), shares.iter().copied().fold(f64::MAX, f64::min));
    Ok(vec![most / least.max(1.0), longest])
}
