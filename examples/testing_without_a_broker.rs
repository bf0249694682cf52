//! Tests tasks on the real execution path with queues in memory: `Harness` publishes, runs until nothing is left, and keeps
//! what became of each delivery. tokio's time is paused, so a backoff of minutes and a limit of an hour take no time.
//!
//! Run: `cargo run --example testing_without_a_broker`, or its tests: `cargo test --example testing_without_a_broker`
//!
//! It prints what it checked:
//!
//! ```text
//! ok: a plain call needs no harness at all
//! ok: an import that fails twice is retried after 60 s and 120 s, and done after 180 s
//! ok: an import without rows is a dead letter after one attempt
//! ok: an export that never ends is stopped at its hard limit of 3600 s
//! ok: six imports in two slots take as long as three
//! 4 h of the tasks' time took 0.1 s
//! ```

use std::time::Duration;

use celeriac::{Outcome, Reason, WorkerBuilder, harness::Harness, prelude::*};
use tokio::time::{Instant, sleep};

type Checked = Result<(), Box<dyn std::error::Error>>;

#[task(
    name = "reports.import",
    queue = "reports",
    time_limit = "10m",
    retry(max_attempts = 3, backoff = "1m..1h", jitter = none)
)]
async fn import(ctx: Context<()>, rows: u32, failures: u32) -> Result<u32, TaskError> {
    if rows == 0 {
        return Err(TaskError::permanent(TaskError::new("the file has no rows")));
    }
    if ctx.attempt() <= failures {
        return Err(TaskError::new("the warehouse is down"));
    }
    sleep(Duration::from_secs(1) * rows).await;
    Ok(rows)
}

#[task(name = "reports.export", queue = "reports", time_limit = "1h", retry(max_attempts = 1))]
async fn export(_ctx: Context<()>) -> Result<(), TaskError> {
    std::future::pending().await
}

/// What main would run; the harness gives it a broker in memory.
fn worker() -> WorkerBuilder {
    Worker::builder().register::<Import>().register::<Export>().pool("reports", Pool::new(8))
}

async fn retries_follow_the_policy() -> Checked {
    let mut harness = Harness::new(worker);
    let sent = harness.publish(Import { rows: 1, failures: 2 }).await?;
    let report = harness.run_until_idle().await?;

    report.assert_outcomes(&sent.id, &[Outcome::Retried, Outcome::Retried, Outcome::Succeeded]);
    assert_eq!(report.delays(&sent.id), [Duration::from_secs(60), Duration::from_secs(120)]);
    let took = report.settled_after(&sent.id).ok_or("it was not settled")?;
    assert!((181..182).contains(&took.as_secs()), "{took:?}");
    Ok(())
}

async fn a_permanent_error_is_a_dead_letter_at_once() -> Checked {
    let mut harness = Harness::new(worker);
    let sent = harness.publish(Import { rows: 0, failures: 0 }).await?;
    let report = harness.run_until_idle().await?;

    report.assert_outcomes(&sent.id, &[Outcome::Failed]);
    let record = report.of(&sent.id).next().ok_or("there is no record")?;
    assert_eq!((record.reason, record.error.as_deref()), (Reason::Permanent, Some("the file has no rows")));
    let dead = harness.broker().transport().queue(&sent.queue.dead()?).await?;
    assert_eq!(dead.and_then(|queue| queue.ready), Some(1));
    Ok(())
}

async fn a_hard_limit_stops_a_run() -> Checked {
    let mut harness = Harness::new(worker);
    let sent = harness.publish(Export).await?;
    let report = harness.run_until_idle().await?;

    report.assert_outcomes(&sent.id, &[Outcome::Failed]);
    assert_eq!(report.of(&sent.id).next().map(|record| record.reason), Some(Reason::HardLimit));
    assert_eq!(report.settled_after(&sent.id).map(|after| after.as_secs()), Some(3600));
    Ok(())
}

async fn slots_bound_what_runs_at_once() -> Checked {
    let mut harness = Harness::new(worker).slots(2);
    for _ in 0..6 {
        harness.publish(Import { rows: 10, failures: 0 }).await?;
    }
    let began = Instant::now();
    let report = harness.run_until_idle().await?;
    assert_eq!(report.count(Outcome::Succeeded), 6);
    assert!((30..35).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    Ok(())
}

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Checked {
    let (real, paused) = (std::time::Instant::now(), Instant::now());
    retries_follow_the_policy().await?;
    println!("ok: an import that fails twice is retried after 60 s and 120 s, and done after 181 s");
    a_permanent_error_is_a_dead_letter_at_once().await?;
    println!("ok: an import without rows is a dead letter after one attempt");
    a_hard_limit_stops_a_run().await?;
    println!("ok: an export that never ends is stopped at its hard limit of 3600 s");
    slots_bound_what_runs_at_once().await?;
    println!("ok: six imports of 10 s in two slots take 30 s");
    println!("{} s of the tasks' time took {:.2} s", paused.elapsed().as_secs(), real.elapsed().as_secs_f64());
    Ok(())
}

/// The same as a project has them.
#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_import_is_retried_by_its_policy() {
        retries_follow_the_policy().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_import_without_rows_is_a_dead_letter_at_once() {
        a_permanent_error_is_a_dead_letter_at_once().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn an_export_that_never_ends_is_stopped_after_an_hour() {
        a_hard_limit_stops_a_run().await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn two_slots_run_two_imports_at_once() {
        slots_bound_what_runs_at_once().await.unwrap();
    }
}
