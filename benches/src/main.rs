//! Benchmarks of Celeriac: each compares it with the raw client, or with a peer, in interleaved blocks of one run.
//!
//! Run: `cargo xtask bench [NAME..] [--quick]`

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a command line tool")]

mod arguments;
mod child;
mod cpu;
mod idle;
mod latency;
mod locks;
mod measure;
mod metrics_overhead;
mod noop;
mod peers;
mod publish_and_run;
mod publish_pipelined;
mod publish_serial;
mod raw;
mod report;
mod row;
mod run_noop;
mod sqlite_fairness;
mod sqlite_latency;
mod sqlite_noop;
mod sqlite_raw;

use std::process::ExitCode;

use arguments::Arguments;
use measure::Settings;
use row::Row;

/// Why a benchmark could not be run.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Every benchmark, in the order of the report.
const BENCHES: [&str; 17] = [
    "publish-pipelined",
    "publish-serial",
    "run-noop",
    "publish-and-run",
    "latency",
    "sqlite-noop",
    "sqlite-latency",
    "sqlite-fairness",
    "idle",
    "metrics-overhead",
    "peers",
    "lock-uncontended",
    "lock-handoff",
    "lock-crash",
    "lock-renew",
    "lock-sqlite",
    "lock-defer",
];

#[tokio::main]
async fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let done = if words.first().is_some_and(|word| word == child::COMMAND) {
        child::run(&words.split_off(1)).await
    } else {
        run(&words).await
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("celeriac-benches: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(words: &[String]) -> Result<(), Failure> {
    let arguments = Arguments::parse(words, &BENCHES)?;
    let mut rows = Vec::new();
    for name in &arguments.names {
        eprintln!("{name} ..");
        rows.extend(bench(name, &arguments.settings).await.map_err(|failure| format!("{name}: {failure}"))?);
    }
    if arguments.json {
        println!("{}", report::json(&rows)?);
    } else {
        print!("{}", report::table(&rows));
    }
    Ok(())
}

async fn bench(name: &str, settings: &Settings) -> Result<Vec<Row>, Failure> {
    match name {
        "publish-pipelined" => publish_pipelined::run(settings).await,
        "publish-serial" => publish_serial::run(settings).await,
        "run-noop" => run_noop::run(settings).await,
        "publish-and-run" => publish_and_run::run(settings).await,
        "latency" => latency::run(settings).await,
        "sqlite-noop" => sqlite_noop::run(settings).await,
        "sqlite-latency" => sqlite_latency::run(settings).await,
        "sqlite-fairness" => sqlite_fairness::run(settings).await,
        "idle" => idle::run(settings).await,
        "metrics-overhead" => metrics_overhead::run(settings).await,
        "peers" => peers::run(settings).await,
        "lock-uncontended" => locks::uncontended(settings).await,
        "lock-handoff" => locks::handoff(settings).await,
        "lock-crash" => locks::crash(settings).await,
        "lock-renew" => locks::renew(settings).await,
        "lock-defer" => locks::defer(settings).await,
        "lock-sqlite" => locks::sqlite(settings).await,
        _ => Err("there is no such benchmark".into()),
    }
}
