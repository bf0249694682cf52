//! The two programs: `celeriac`, and the one that a user builds around a worker.

use std::{future::Future, path::Path, process::ExitCode};

use celeriac_worker::WorkerBuilder;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::{
    Error,
    args::{Common, Verb},
    commands::{self, demo, worker},
    config,
    session::Session,
    telemetry::Telemetry,
};

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong use or settings, 3 unhealthy (doctor).";

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

/// What verbs log: what fails ends in one line of its own, which warnings on the way would bury. What an operator did to
/// a lock is logged all the same.
const VERBS: &str = "error,celeriac_cli::audit=warn";

/// The program `celeriac`.
pub fn celeriac() -> ExitCode {
    let Celeriac { common, command } = Celeriac::parse();
    finish("celeriac", || {
        // What becomes of each digest is told in the report.
        let level = if matches!(command, Command::Demo(_)) { "warn,celeriac_worker::execution=off" } else { VERBS };
        let session = Session::start(&common, common.settings(), level, &Telemetry::default())?;
        match command {
            Command::Demo(demo) => block_on(demo::run(&demo, &session)),
            Command::Verb(verb) => block_on(commands::run(verb, &session, Celeriac::command())),
        }
    })
}

/// Makes a worker a program: it runs until SIGTERM or SIGINT, takes a worker's flags (`-Q`, `-c`, `--prefetch`,
/// `--shutdown-timeout`, `--broker`, `--log-format`), and has the operator's verbs beside it (`queue`, `dead`, `task`,
/// `lock`, `semaphore`, `doctor`, `config`, `completions`).
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
    let parsed = program.clone().get_matches();
    finish(&name, || {
        let parsed = WorkerProgram::from_arg_matches(&parsed).map_err(|fault| Error::Usage(fault.to_string()))?;
        drive(builder, parsed, program)
    })
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

/// Runs a command, and tells how it went.
fn finish(name: &str, command: impl FnOnce() -> Result<(), Error>) -> ExitCode {
    match command() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_quiet() {
                crate::output::note(&format!("{name}: {}", error.line()));
            }
            error.exit_code()
        }
    }
}

fn block_on(command: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(Error::io("can't start the runtime"))?.block_on(command)
}
