//! A worker under a load of its own making, which comes to most of what can happen to tasks: for dashboards to show.
//!
//! Run: `CELERIAC_METRICS_ADDR=127.0.0.1:9464 load-worker`, with `CELERIAC_BROKER_URL` and `CELERIAC_LOCKS_URL`.

use std::{
    env,
    error::Error,
    time::{Duration, Instant},
};

use celeriac::{Check, prelude::*};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// The ordinary case: soon done.
#[task(name = "mail.deliver", queue = "mail", retry(max_attempts = 3, backoff = "200ms..1s", jitter = equal))]
async fn deliver(ctx: Context<()>, n: u64) -> Result<(), TaskError> {
    sleep(Duration::from_millis(5 + n * 37 % 90)).await;
    // A server that is ill now and then.
    if n.is_multiple_of(9) && ctx.attempt() == 1 { Err(TaskError::new("421 try again later")) } else { Ok(()) }
}

/// One at a time for each account; some accounts are refused for good.
#[task(name = "billing.charge", queue = "billing", mutex("account", key = account), check = is_open, retry(max_attempts = 2, backoff = "300ms..300ms"))]
async fn charge(account: u64, n: u64) -> Result<(), TaskError> {
    // Accounts differ a little.
    sleep(Duration::from_millis(20 + (account + n * 13) % 60)).await;
    match n % 50 {
        7 => Err(TaskError::permanent(TaskError::new("card refused"))),
        17 => Err(TaskError::new("the gateway does not answer")),
        27 => panic!("a bug"),
        _ => Ok(()),
    }
}

#[allow(clippy::unused_async, reason = "a check is asked for asynchronously")]
async fn is_open(task: &Charge) -> Check {
    if task.n % 20 == 3 { Check::Skip("it is closed".into()) } else { Check::Run }
}

/// Two at once for each dealer.
#[task(name = "feeds.fetch", queue = "feeds", semaphore("dms", key = dealer, leases = 2, ttl = "2s"))]
async fn fetch(dealer: String) -> Result<(), TaskError> {
    sleep(Duration::from_millis(if dealer == "eu" { 600 } else { 250 })).await;
    Ok(())
}

/// One at a time for each shop, and long.
#[task(name = "feeds.import", queue = "feeds", mutex("import", key = shop, ttl = "2s"))]
async fn import(shop: u64) -> Result<(), TaskError> {
    sleep(Duration::from_millis(4000 + shop * 300)).await;
    Ok(())
}

/// Takes a slot for seconds, and begins once a second at most; the soft limit stops some.
#[task(
    name = "reports.build",
    queue = "reports",
    rate("1/s"),
    soft_time_limit = "3s",
    time_limit = "4s",
    retry(max_attempts = 2, backoff = "1s..1s")
)]
async fn build(ctx: Context<()>, n: u64) -> Result<(), TaskError> {
    Ok(ctx.until_soft_limit(sleep(Duration::from_millis(800 + n * 131 % 2600))).await?)
}

/// Comes by the dozen, into a pool that is small for it.
#[task(name = "mail.newsletter", queue = "bulk")]
async fn newsletter() -> Result<(), TaskError> {
    sleep(Duration::from_millis(300)).await;
    Ok(())
}

/// What no handler should do: it blocks its thread past its hard limit.
#[task(name = "reports.render", queue = "reports", time_limit = "500ms", retry(max_attempts = 1))]
async fn render(seconds: u64) -> Result<(), TaskError> {
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        std::thread::park_timeout(Duration::from_millis(100));
    }
    Ok(())
}

/// A task that no worker knows any more.
#[task(name = "mail.digest", queue = "mail")]
async fn digest() -> Result<(), TaskError> {
    Ok(())
}

/// Publishes for ever; what the broker does not take is gone.
async fn publish(broker: Broker) {
    let mut ticks = interval(Duration::from_millis(150));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for n in 0_u64.. {
        ticks.tick().await;
        let _ = broker.publish(Deliver { n }).await;
        let _ = broker.publish(Charge { account: n % 4, n }).await;
        if n.is_multiple_of(2) {
            let dealer = ["eu", "us"][usize::from(n.is_multiple_of(4))];
            let _ = broker.publish(Fetch { dealer: dealer.to_owned() }).await;
        }
        if n.is_multiple_of(12) {
            let _ = broker.publish(Import { shop: n / 12 % 5 }).await;
        }
        if n.is_multiple_of(16) {
            let _ = broker.publish(Build { n }).await;
            let _ = broker.message(Build { n: 1 }).delay(Duration::from_secs(20)).publish().await;
        }
        if n % 200 == 30 {
            let _ = broker.publish_all((0..100).map(|_| Newsletter)).await;
        }
        if n % 200 == 60 {
            let _ = broker.publish(Render { seconds: 20 }).await;
            let _ = broker.publish(Digest).await;
        }
    }
}

#[tokio::main(worker_threads = 4)]
async fn main() -> Result<(), Box<dyn Error>> {
    let broker = Broker::from_env()?;
    let worker = Worker::builder()
        .broker(broker.clone())
        .register::<Deliver>()
        .register::<Charge>()
        .register::<Fetch>()
        .register::<Import>()
        .register::<Build>()
        .register::<Render>()
        .register::<Newsletter>()
        .pool("mail", Pool::new(8))
        .pool("billing", Pool::new(4))
        .pool("feeds", Pool::new(16))
        .pool("reports", Pool::new(4))
        .pool("bulk", Pool::new(2))
        .metrics_addr(env::var("CELERIAC_METRICS_ADDR").unwrap_or_else(|_| "127.0.0.1:9464".to_owned()))
        .build()?;
    let load = tokio::spawn(publish(broker));
    let report = worker.run().await;
    load.abort();
    println!("{}", report?);
    Ok(())
}
