//! A Celeriac worker on a queue that it shares with Celery.
//!
//! Run: `CELERIAC_BROKER_URL=amqp://.. test-worker QUEUE`

mod record;

use std::{env, error::Error};

use celeriac::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let queue = env::args().nth(1).ok_or("which queue?")?;
    let report = Worker::builder()
        .register::<record::Record>()
        .queue(Queue::shared_with_celery(&queue)?)
        .pool("interop", Pool::new(1))
        .only_queues([queue])
        // One at a time, so that the order is the broker's.
        .concurrency(1)
        .build()?
        .run()
        .await?;
    println!("{report}");
    Ok(())
}
