//! The two programs: `celeriac`, and the one that a user builds around a worker.

use std::{future::Future, path::Path, process::ExitCode};

use celeriac_worker::WorkerBuilder;
use clap::{CommandFactory as _, FromArgMatches, Parser, Subcommand};

use crate::{
    Error,
    args::{Common, Verb},
    commands::{self, check, demo, worker},
    config,
    session::Session,
    telemetry::Telemetry,
};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong use or settings, 3 unhealthy (doctor); check: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.";

/// A task queue on a SQLite file or on RabbitMQ: look at queues, dead letters, locks and settings.
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
    /// Find the duplicate files under a folder: a job of many tasks, with no server and nothing to configure.
    Demo(demo::Command),
    #[command(flatten)]
    Verb(Verb),
}

impl Command {
    /// What it checks, where it is a check.
    const fn checks(&self) -> Option<&'static str> {
        match self {
            Self::Verb(verb) => verb.checks(),
            Self::Demo(_) => None,
        }
    }
}

/// Runs tasks, and looks at queues, dead letters, locks and settings.
#[derive(Debug, Parser)]
#[command(after_help = EXIT_CODES)]
struct WorkerProgram {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    worker: worker::Command,
    #[command(subcommand)]
    command: Option<WorkerCommand>,
}

#[derive(Debug, Subcommand)]
enum WorkerCommand {
    /// Run tasks until SIGTERM or SIGINT; what the program does when no command is given.
    Worker(worker::Command),
    #[command(flatten)]
    Verb(Verb),
}

impl WorkerCommand {
    /// What it checks, where it is a check.
    const fn checks(&self) -> Option<&'static str> {
        match self {
            Self::Verb(verb) => verb.checks(),
            Self::Worker(_) => None,
        }
    }
}

/// What verbs log: what fails ends in one line of its own, which warnings on the way would bury. What an operator did to
/// a lock is logged all the same.
const VERBS: &str = "error,celeriac_cli::audit=warn";

/// The program `celeriac`.
pub fn celeriac() -> ExitCode {
    let Celeriac { common, command } = match read(Celeriac::command()) {
        Ok(read) => read,
        Err(code) => return code,
    };
    finish("celeriac", command.checks(), || {
        // What becomes of each digest is told in the report.
        let level = if matches!(command, Command::Demo(_)) { "warn,celeriac_worker::execution=off" } else { VERBS };
        let session = Session::start(&common, common.settings(), level, &Telemetry::default())?;
        match command {
            Command::Demo(demo) => block_on(demo::run(&demo, &session)),
            Command::Verb(verb) => block_on(commands::run(verb, &session, Celeriac::command())),
        }
    })
}

/// Reads the command line. What can't be read ends the program: a check's by a line and an exit code of checks.
fn read<P: FromArgMatches>(mut program: clap::Command) -> Result<P, ExitCode> {
    let read = program.clone().try_get_matches().and_then(|matches| P::from_arg_matches(&matches));
    let fault = match read {
        Ok(read) => return Ok(read),
        Err(fault) => fault.format(&mut program),
    };
    match check::asked_for(&program, std::env::args_os()) {
        // Help and versions are asked for, and are no faults.
        Some(service) if fault.use_stderr() => Err(check::misused(service, &fault).exit_code()),
        _ => fault.exit(),
    }
}

/// Makes a worker a program: it runs until SIGTERM or SIGINT, takes a worker's flags (`-Q`, `-c`, `--prefetch`,
/// `--shutdown-timeout`, `--broker`, `--log-format`), and has the operator's verbs beside it (`queue`, `dead`, `task`,
/// `lock`, `semaphore`, `check`, `doctor`, `config`, `completions`).
///
/// Flags win over the environment, which wins over `celeriac.toml`, which wins over what `builder` says.
/// It starts a runtime and logging of its own; call it from a plain `fn main() -> ExitCode`.
///
/// ```no_run
/// # use std::process::ExitCode;
/// # use celeriac_worker::{Pool, Worker};
/// fn main() -> ExitCode {
///     celeriac_cli::run(Worker::builder().pool("celeriac", Pool::new(8)))
/// }
/// ```
pub fn run<S: Send + Sync + 'static>(builder: WorkerBuilder<S>) -> ExitCode {
    let name = name();
    let program = WorkerProgram::command().name(name.clone()).bin_name(name.clone());
    let parsed: WorkerProgram = match read(program.clone()) {
        Ok(parsed) => parsed,
        Err(code) => return code,
    };
    let service = parsed.command.as_ref().and_then(WorkerCommand::checks);
    finish(&name, service, || drive(builder, parsed, program))
}

fn drive<S: Send + Sync + 'static>(
    builder: WorkerBuilder<S>,
    parsed: WorkerProgram,
    program: clap::Command,
) -> Result<(), Error> {
    let WorkerProgram { common, worker: flags, command } = parsed;
    let (flags, level) = match &command {
        None => (flags, "info"),
        Some(_) if flags != worker::Command::default() => {
            return Err(Error::Usage("a worker's flags stand behind `worker`, or without a command".into()));
        }
        Some(WorkerCommand::Worker(flags)) => (flags.clone(), "info"),
        Some(WorkerCommand::Verb(_)) => (flags, VERBS),
    };
    let works = !matches!(command, Some(WorkerCommand::Verb(_)));
    // To the end: what is left is sent then.
    let telemetry = if works { Telemetry::start(program.get_name())? } else { Telemetry::default() };
    let mut session = Session::start(&common, flags.settings(common.settings()), level, &telemetry)?;
    let described = builder.described();
    session.config.code = config::of_code(&described);
    match command {
        Some(WorkerCommand::Verb(verb)) => {
            session.locks.clone_from(&described.locks);
            session.broker = Some(worker::broker(&described, &session.config)?);
            block_on(commands::run(verb, &session, program))
        }
        None | Some(WorkerCommand::Worker(_)) => {
            let worker = worker::configure(telemetry.watch(builder), &session.config)?;
            block_on(worker::run(worker))
        }
    }
}

/// The name that the program was called by.
fn name() -> String {
    let called = std::env::args_os().next().unwrap_or_default();
    let stem = Path::new(&called).file_stem().and_then(|stem| stem.to_str());
    stem.unwrap_or("worker").to_owned()
}

/// Runs a command, and tells how it went; `service` is what a check looks at.
fn finish(name: &str, service: Option<&'static str>, command: impl FnOnce() -> Result<(), Error>) -> ExitCode {
    match command() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = match service {
                Some(service) => check::not_begun(service, error),
                None => error,
            };
            if !error.is_quiet() {
                crate::output::note(&format!("{name}: {}", error.line()));
            }
            error.exit_code()
        }
    }
}

fn block_on(command: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("can't start the runtime"))?;
    let done = runtime.block_on(command);
    if matches!(done, Err(Error::Checked(_))) {
        // A name server that does not answer holds its thread for longer than a check may take.
        runtime.shutdown_background();
    }
    done
}
