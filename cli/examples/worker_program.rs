//! A program of your own: a worker with a command line, and the operator's verbs beside it.
//!
//! Run: `cargo run -p celeriac-cli --example worker_program -- --concurrency 4`, and in another terminal
//! `cargo run -p celeriac-cli --example worker_program -- task send greet --args '["world"]' -q greetings`.

use std::process::ExitCode;

use celeriac_broker::{Arg, Task, TaskError, TaskOptions};
use celeriac_worker::{Context, Handler, Pool, Worker};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Greet {
    whom: String,
}

impl Task for Greet {
    const NAME: &'static str = "greet";
    const ARGS: &'static [Arg] = &[Arg::required("whom")];
    type Output = ();

    fn options() -> TaskOptions {
        TaskOptions::new().queue("greetings")
    }
}

impl Handler<()> for Greet {
    async fn run(self, _: Context<()>) -> Result<(), TaskError> {
        println!("hello, {}", self.whom);
        Ok(())
    }
}

fn main() -> ExitCode {
    celeriac_cli::run(Worker::builder().register::<Greet>().pool("greetings", Pool::new(8)))
}
