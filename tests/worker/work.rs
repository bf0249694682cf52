//! What the tasks of the fault tests do.

use std::time::Duration;

use celeriac::prelude::*;

/// Takes some time, and prints its number before and after.
#[task(name = "faults.work", queue = "faults")]
pub(crate) async fn work(ctx: Context<()>, n: u64, millis: u64) -> Result<(), TaskError> {
    println!("began {n} attempt {}", ctx.attempt());
    tokio::time::sleep(Duration::from_millis(millis)).await;
    println!("ended {n}");
    Ok(())
}

/// Ends the process that runs it, as a segmentation fault or the kernel's OOM killer would.
#[task(name = "faults.poison", queue = "faults")]
pub(crate) async fn poison() -> Result<(), TaskError> {
    println!("poisoned");
    std::process::abort()
}

/// Fails its first attempts.
#[task(name = "faults.flaky", queue = "faults", retry(max_attempts = 40, backoff = "100ms..100ms", jitter = none))]
pub(crate) async fn flaky(ctx: Context<()>, failures: u32) -> Result<(), TaskError> {
    if ctx.attempt() <= failures {
        return Err(TaskError::new("not yet"));
    }
    println!("ended after {failures} failures");
    Ok(())
}
