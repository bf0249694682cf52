//! Defines a task, publishes three of them and runs them. `#[task]` writes the struct `Greet` beside the function `greet`:
//! a producer publishes the struct, a worker runs the function.
//!
//! Run: `cargo run --example quickstart`
//!
//! The broker is `CELERIAC_BROKER_URL`, by default the file celeriac.db in the current folder. It prints
//!
//! ```text
//! 019b2f...-1 waits in quickstart
//! ..
//! Hello, Ada! (attempt 1)
//! ..
//! 3 attempts, 3 succeeded
//! ```

use celeriac::prelude::*;

#[task(name = "quickstart.greet", queue = "quickstart")]
async fn greet(ctx: Context<()>, name: String) -> Result<String, TaskError> {
    let greeting = format!("Hello, {name}!");
    println!("{greeting} (attempt {})", ctx.attempt());
    Ok(greeting)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A producer. Most often another program: it needs the task's contract and the broker's address.
    let broker = Broker::from_env()?;
    for name in ["Ada", "Grace", "Barbara"] {
        let sent = broker.publish(Greet { name: name.to_owned() }).await?;
        println!("{} waits in {}", sent.id, sent.queue);
    }

    // A worker. This one ends when nothing is left to do; a service calls `run()`, which ends at SIGTERM.
    let worker = Worker::builder().register::<Greet>().pool("quickstart", Pool::new(2)).build()?;
    let report = worker.run_until_idle().await?;
    println!("{}", report.tally);
    Ok(())
}
