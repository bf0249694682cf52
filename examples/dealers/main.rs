//! A night at a company that imports car dealers' XML feeds. Twelve dealers leave hundreds of files and bear three calls at once
//! each; a worker is killed in the middle of its work, the broker restarts, and limits change. In the morning no dealer was
//! hammered, every row is there once, and so is every export that was asked for twice.
//!
//! Run: `cargo run --example dealers`, which takes about twenty seconds and needs nothing but a temporary folder: tasks and leases are in one
//! SQLite file. With `--big` one of the feeds has 1 GB. On RabbitMQ and Redis, the code being the same:
//! `CELERIAC_BROKER_URL=amqp://guest:guest@localhost CELERIAC_LOCKS_URL=redis://localhost cargo run --example dealers --features redis -- --restart-broker "docker restart rabbitmq"`
//!
//! It tells the night as it goes, prints a report, and fails if a promise was broken:
//!
//! ```text
//! REPORT
//! ```

mod crew;
mod dealer;
mod feed;
mod incidents;
mod journal;
mod night;
mod options;
mod report;
mod store;
mod tasks;

use std::{env, path::PathBuf, process::ExitCode};

use celeriac::Broker;

use crate::{
    crew::{Crew, TTL},
    night::{Night, Result},
    options::Options,
    report::Report,
    tasks::LEASES,
};

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let words: Vec<_> = env::args().skip(1).collect();
    if let [worker, folder] = words.as_slice()
        && worker == "worker"
    {
        crew::work(PathBuf::from(folder)).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options::read()?;
    let json = options.json;
    let report = night(options).await?;
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    Ok(if report.broken().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn night(options: Options) -> Result<Report> {
    let folder = tempfile::tempdir()?;

    // Two addresses decide where tasks and leases are. Without a word about it, both are in one file, in which the tasks of a dead
    // worker are ready again after as long as its leases would last on Redis.
    let file = format!("sqlite://{}", folder.path().join("night.db").display());
    let tasks_at = env::var("CELERIAC_BROKER_URL").unwrap_or_else(|_| format!("{file}?claim_lease={}s", TTL.as_secs()));
    let leases_at = env::var("CELERIAC_LOCKS_URL").unwrap_or(file);
    let broker = Broker::new(&tasks_at)?;
    let locks = crew::leases(&leases_at)?;

    // Evening: the dealers' systems are up, their files are here, and the work is published before anybody is there to do it.
    let mut night = Night::begin(options, folder.path(), broker, locks).await?;
    night.publish().await?;
    let mut crew = Crew::new(folder.path(), &tasks_at, &leases_at);
    for _ in 0..3 {
        crew.hire()?;
    }

    // A dealer asks for mercy, another has a new machine. No worker is restarted for that.
    night.progress(0.1).await?;
    night.resize("aspen", 1).await?;
    night.resize("willow", LEASES + 2).await?;

    // The broker restarts.
    night.progress(0.2).await?;
    night.restart_broker().await?;

    // A worker dies with leases in its hands.
    night.progress(0.4).await?;
    night.kill_a_holder(&mut crew).await?;
    crew.hire()?;

    // Morning.
    night.progress(1.0).await?;
    night.settled().await?;
    night.usual_limits().await?;
    night.report(&mut crew).await
}
