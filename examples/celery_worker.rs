//! A Celeriac worker runs what a Python program publishes with Celery: the same queue, the same message, no bridge between
//! them. Arguments bind as Python binds them, positional by order and keyword by name.
//!
//! Run: `export CELERIAC_BROKER_URL=amqp://guest:guest@localhost`, `cargo run --example celery_worker`, and beside it
//! `python3 examples/celery_producer.py` (needs `pip install celery`); either may start first
//!
//! It ends when it has run three tasks. It prints
//!
//! ```text
//! waiting for 3 tasks in resize at amqp://localhost
//! a.jpg to 800x600, from gen4711@laptop
//! b.jpg to 1024x768, from gen4711@laptop
//! c.jpg to 800x600, from gen4711@laptop, 1 s after it was published
//! 3 attempts, 3 succeeded
//! ```

use std::{convert::Infallible, sync::Arc};

use celeriac::prelude::*;
use tokio::sync::Semaphore;

const TASKS: u32 = 3;

/// The worker's state: one permit for each task that was done.
type Done = Arc<Semaphore>;

/// `resize(path, width=800, height=600)`, as the Python side calls it.
#[task(name = "images.resize")]
async fn resize(
    ctx: Context<Done>,
    path: String,
    #[arg(default = 800)] width: u32,
    #[arg(default = 600)] height: u32,
) -> Result<(), TaskError> {
    println!("{path} to {width}x{height}, attempt {} of {}", ctx.attempt(), ctx.id());
    ctx.state().add_permits(1);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::var("RESIZE_QUEUE").unwrap_or_else(|_| "resize".to_owned());
    // Declared with exactly what Celery declares, so that neither side is refused, whichever starts first.
    let queue = Queue::shared_with_celery(&name)?;
    let broker = Broker::builder().queue(queue).build()?;
    println!("waiting for {TASKS} tasks in {name} at {}", broker.address());

    let done = Done::new(Semaphore::new(0));
    let all_done = {
        let done = done.clone();
        async move { drop(done.acquire_many(TASKS).await) }
    };
    let worker = Worker::builder()
        .broker(broker)
        .state(|| async { Ok::<_, Infallible>(done) })
        .register::<Resize>()
        .pool(name.clone(), Pool::new(4))
        // The producer decides where its tasks go: this worker runs that queue, and not the one that `Resize` would go to.
        .only_queues([name])
        .build()?;
    println!("{}", worker.run_until(all_done).await?.tally);
    Ok(())
}
