//! A worker that tests kill, stop and poison.
//!
//! Run: `CELERIAC_BROKER_URL=.. fault-worker QUEUE CONCURRENCY SHUTDOWN_SECONDS`

mod work;

use std::{env, error::Error, time::Duration};

use celeriac::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [queue, concurrency, seconds] = arguments.as_slice() else { return Err("QUEUE CONCURRENCY SECONDS".into()) };
    let report = Worker::builder()
        .register::<work::Work>()
        .register::<work::Poison>()
        .register::<work::Flaky>()
        .pool(queue, Pool::new(concurrency.parse()?))
        .pool("faults", Pool::new(1))
        .shutdown_timeout(Duration::from_secs(seconds.parse()?))
        .build()?
        .run()
        .await?;
    println!("{report}");
    Ok(())
}
