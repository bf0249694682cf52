//! Tasks hold locks by saying so: at most two calls at once to each dealer, whichever task makes them, and one import of a file at a
//! time. A task whose lock is busy goes back to the broker, keeps its place in line and counts no attempt; the second import of a
//! file is not run at all.
//!
//! Run: `cargo run --example mutex_and_semaphore`. The leases are in the broker's file, celeriac.db; beside RabbitMQ, set
//! `CELERIAC_LOCKS_URL=redis://..`.
//!
//! It prints which lease each call had and, at the end, how many calls there were at once:
//!
//! ```text
//! eu: stock, with the lease of semaphore:dms:eu
//! eu: prices, with the lease of semaphore:dms:eu
//! us: stock, with the lease of semaphore:dms:us
//! ..
//! a.xml: imported
//! cn: at most 1 calls at once
//! eu: at most 2 calls at once
//! us: at most 2 calls at once
//! 9 succeeded, 1 skipped, 0 failed
//! ```

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use celeriac::{Outcome, prelude::*};
use tokio::time::sleep;

/// What the dealers' servers see: how many calls there are at once, and the most that there were.
#[derive(Clone, Default)]
struct Dealers(Arc<Mutex<BTreeMap<String, (u32, u32)>>>);

impl Dealers {
    async fn call(&self, dealer: &str) {
        self.count(dealer, |now| now + 1);
        sleep(Duration::from_millis(100)).await;
        self.count(dealer, |now| now - 1);
    }

    fn count(&self, dealer: &str, change: impl Fn(u32) -> u32) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, most) = calls.entry(dealer.to_owned()).or_default();
        *now = change(*now);
        *most = (*most).max(*now);
    }
}

/// Holds one of the dealer's two leases while it runs. Every task that names "dms" shares them.
#[task(name = "dealers.fetch", queue = "dealers", semaphore("dms", key = dealer, leases = 2))]
async fn fetch(ctx: Context<Dealers>, dealer: String, what: String) -> Result<(), TaskError> {
    println!("{dealer}: {what}, with the lease of {}", ctx.lease("dms")?.key());
    ctx.state().call(&dealer).await;
    Ok(())
}

/// One import of a file at a time; whoever comes meanwhile finds the work being done. The dealer's lease is held for a part of the
/// run only: `?` on a busy one defers the task.
#[task(name = "dealers.import", queue = "dealers", mutex(file, busy = skip))]
async fn import(ctx: Context<Dealers>, file: String, dealer: String) -> Result<(), TaskError> {
    let lease = ctx.semaphore("dms", dealer.as_str()).acquire().await?;
    ctx.state().call(&dealer).await;
    lease.release().await?;
    sleep(Duration::from_millis(200)).await;
    println!("{file}: imported");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::from_env()?;
    for _ in 0..2 {
        broker.publish(Import { file: "a.xml".into(), dealer: "cn".into() }).await?;
    }
    for what in ["stock", "prices", "orders", "invoices"] {
        for dealer in ["eu", "us"] {
            broker.publish(Fetch { dealer: dealer.into(), what: what.into() }).await?;
        }
    }

    let dealers = Dealers::default();
    let state = dealers.clone();
    let worker = Worker::builder()
        .state(|| async move { Ok::<_, Infallible>(state) })
        .register::<Fetch>()
        .register::<Import>()
        .pool("dealers", Pool::new(8))
        .build()?;
    let tally = worker.run_until_idle().await?.tally;
    for (dealer, (_, most)) in &*dealers.0.lock().unwrap_or_else(PoisonError::into_inner) {
        println!("{dealer}: at most {most} calls at once");
    }
    let [succeeded, skipped, failed] = [Outcome::Succeeded, Outcome::Skipped, Outcome::Failed].map(|of| tally.of(of));
    println!("{succeeded} succeeded, {skipped} skipped, {failed} failed");
    Ok(())
}
