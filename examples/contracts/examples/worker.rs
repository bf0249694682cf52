//! Runs tasks whose contracts stand in another crate: `impl Handler<Mailer> for SendMail`.
//! The orphan rule allows it because `Mailer`, the worker's state, is a type of this program.
//!
//! Run: `cargo run -p celeriac-example-contracts --example contracts_worker`, after `contracts_producer`
//!
//! It runs what waits and ends. It prints one line for each mail, and what it did in all:
//!
//! ```text
//! mail 1: "Welcome" to ada@example.org through smtp.example.org
//! mail 2: "Your invoice" to grace@example.org through smtp.example.org
//! 2 attempts, 2 succeeded
//! ```

use std::{
    convert::Infallible,
    sync::atomic::{AtomicU32, Ordering},
};

use celeriac::prelude::*;
use celeriac_example_contracts::SendMail;

/// The worker's state: built once, shared by all runs.
struct Mailer {
    server: &'static str,
    sent: AtomicU32,
}

impl Mailer {
    fn connect() -> Self {
        Self { server: "smtp.example.org", sent: AtomicU32::new(0) }
    }
}

impl Handler<Mailer> for SendMail {
    async fn run(self, ctx: Context<Mailer>) -> Result<String, TaskError> {
        let Mailer { server, sent } = ctx.state();
        let number = sent.fetch_add(1, Ordering::Relaxed) + 1;
        println!("mail {number}: {:?} to {} through {server}", self.subject, self.to);
        Ok(format!("{number}@{server}"))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let worker = Worker::builder()
        .state(|| async { Ok::<_, Infallible>(Mailer::connect()) })
        .register::<SendMail>()
        .pool("mail", Pool::new(1))
        .build()?;
    let report = worker.run_until_idle().await?;
    println!("{}", report.tally);
    Ok(())
}
