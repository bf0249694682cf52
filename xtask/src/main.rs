//! The repository's own commands, run as `cargo xtask <command>`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a command line tool")]

mod arguments;
mod bench;
mod chaos_command;
mod foreground;
mod install;
mod parts;
mod session;
mod test;
mod venv;
mod with_services;

use std::process::ExitCode;
use std::{env, error::Error as _};

use arguments::Arguments;

const USAGE: &str = "\
cargo xtask test [--without PART].. [-- NEXTEST_ARGUMENT..]
    runs every test of the workspace over private services; with arguments, only what nextest selects by them
cargo xtask bench [--without PART].. [--quick] [NAME..]
    runs the benchmarks, or those named
cargo xtask services [--without PART].. [-- COMMAND ARGUMENT..]
    starts the services and runs COMMAND with their addresses in its environment, by default a shell
cargo xtask chaos locks [--minutes N] [--seed S] [--store redis|redis-rdb|redis-aof|redis-sentinel|sqlite]
    runs processes that take leases, kills, stops and cuts them off, and checks that every lease kept its promise

PART is amqp, redis, celery, jdupes or prometheus. CELERIAC_TEST_AMQP_URL and CELERIAC_TEST_REDIS_URL name running
services to use instead of private ones.";

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}\n\n{USAGE}")]
    Usage(String),
    #[error(transparent)]
    Service(#[from] xtask::services::Error),
    #[error("{0}")]
    CannotBeHad(String),
    #[error("{0}")]
    Failed(String),
    #[error("interrupted")]
    Interrupted,
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Interrupted => 130,
            Self::Service(_) | Self::CannotBeHad(_) | Self::Failed(_) => 1,
        }
    }
}

fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let command = words.next().unwrap_or_default();
    let done = foreground::handle_signals().and_then(|()| {
        if command == "chaos" {
            return chaos_command::run(words);
        }
        let arguments = Arguments::parse(words)?;
        match command.as_str() {
            "test" => test::run(&arguments),
            "bench" => bench::run(&arguments),
            "services" => with_services::run(&arguments),
            "help" | "--help" | "-h" => {
                println!("{USAGE}");
                Ok(())
            }
            unknown => Err(Failure::Usage(format!("there is no command `{unknown}`"))),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\ncargo xtask {command}: {failure}");
            let mut source = failure.source();
            while let Some(error) = source {
                eprintln!("  because {error}");
                source = error.source();
            }
            ExitCode::from(failure.exit_code())
        }
    }
}
