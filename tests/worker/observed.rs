//! A worker whose tasks log, wait and fail, for the tests of logs, traces and reports: `celeriac::cli::run` around it.
//! `observed-worker publish N` publishes one `observed.outer` within a span, with a subscriber of its own.

use std::{process::ExitCode, time::Duration};

use celeriac::{prelude::*, telemetry::Traces};
use tracing::{Instrument as _, info, info_span};
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// Fails once; then publishes a child.
#[task(
    name = "observed.outer",
    queue = "observed",
    tags(company),
    mutex("company", key = company, busy = wait("10s")),
    retry(max_attempts = 2, backoff = "1ms..1ms", jitter = none)
)]
async fn outer(ctx: Context<()>, company: String, cents: u64, #[arg(secret)] token: String) -> Result<(), TaskError> {
    info!("outer begins");
    ctx.tag("step", ctx.attempt());
    let length = (company + &cents.to_string() + &token).len();
    async { info!(length, "outer charges") }.instrument(info_span!("charge", gateway = "eu")).await;
    let span = ctx.span().clone();
    let blocking = move || span.in_scope(|| info!("outer computes"));
    tokio::task::spawn_blocking(blocking).await.map_err(TaskError::new)?;
    tokio::spawn(async { info!("outer has left this behind") }).await.map_err(TaskError::new)?;
    if !ctx.is_last_attempt() {
        return Err(TaskError::new("the gateway is down"));
    }
    ctx.publish(Inner { number: 7 }).await.map_err(TaskError::new)?;
    Ok(())
}

#[task(name = "observed.inner", queue = "observed")]
async fn inner(number: u64) -> Result<(), TaskError> {
    info!(even = number.is_multiple_of(2), "inner runs");
    Ok(())
}

/// Ends as it is told to.
#[task(
    name = "observed.end",
    queue = "observed",
    tags(company),
    time_limit = "200ms",
    retry(max_attempts = 3, backoff = "1ms..1ms", jitter = none)
)]
async fn end(ctx: Context<()>, company: String, how: String) -> Result<(), TaskError> {
    ctx.tag("of", company.len());
    match how.as_str() {
        "recovers" if ctx.attempt() == 2 => Ok(()),
        "recovers" | "fails" => Err(TaskError::new("the gateway is down")),
        "is wrong" => Err(TaskError::permanent(TaskError::new("there is no such account"))),
        "panics" => panic!("a bug"),
        _ => std::future::pending().await,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn publish(cents: u64) -> Result<(), Box<dyn std::error::Error>> {
    let traces = Traces::from_env("shop")?;
    tracing_subscriber::registry().with(traces.as_ref().map(Traces::layer)).init();
    let broker = Broker::from_env()?;
    let task = Outer { company: "eu-7".into(), cents, token: "hunter2".into() };
    let sent = broker.message(task).tag("urgent").publish().instrument(info_span!("order")).await?;
    println!("published {}", sent.id);
    broker.close().await;
    Ok(())
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("publish") {
        let cents = arguments.next().and_then(|cents| cents.parse().ok()).unwrap_or_default();
        let published = publish(cents);
        return published.map_or_else(
            |error| {
                eprintln!("{error}");
                ExitCode::FAILURE
            },
            |()| ExitCode::SUCCESS,
        );
    }
    let worker = Worker::builder().register::<Outer>().register::<Inner>().register::<End>();
    celeriac::cli::run(worker.pool("observed", Pool::new(8)).shutdown_timeout(Duration::from_secs(10)))
}
