//! The two programs: `celeriac`, and the one that a user builds around a worker.

use std::{future::Future, process::ExitCode};

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::{
    Error,
    args::{Common, Verb},
    commands,
    session::Session,
};

/// A task queue on a SQLite file or on RabbitMQ: look at queues, dead letters and settings.
#[derive(Debug, Parser)]
#[command(name = "celeriac", version, propagate_version = true, after_help = EXIT_CODES)]
struct Celeriac {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Verb(Verb),
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong use or settings, 3 unhealthy (doctor).";

/// The program `celeriac`.
pub fn celeriac() -> ExitCode {
    let Celeriac { common, command } = Celeriac::parse();
    finish(|| {
        let session = Session::start(&common, "warn")?;
        match command {
            Command::Verb(verb) => block_on(commands::run(verb, &session, Celeriac::command())),
        }
    })
}

/// Runs a command, and tells how it went.
fn finish(command: impl FnOnce() -> Result<(), Error>) -> ExitCode {
    match command() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_quiet() {
                crate::output::note(&format!("celeriac: {}", error.line()));
            }
            error.exit_code()
        }
    }
}

fn block_on(command: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(Error::io("can't start the runtime"))?.block_on(command)
}
