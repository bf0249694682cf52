//! Checks for Nagios, Zabbix and whatever else reads one line and an exit code.

mod locks;
mod probe;
mod queue;
mod verdict;
mod worker;

use std::{ffi::OsString, future::Future, path::PathBuf, time::Duration};

use celeriac_broker::Error as BrokerError;
use celeriac_mutex::Error as LocksError;
use tokio::time::timeout;

use self::verdict::{Report, State};
use crate::{Error, config::parse, output::Output, session::Session};

/// How long saying goodbye may take: the verdict is known by then.
const GOODBYE: Duration = Duration::from_secs(1);

/// `celeriac check ..`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// How long the oldest message of a queue waits, how many wait, and how many are dead.
    Queue(queue::Check),
    /// Whether a worker lives and is ready, by the address at which it serves its metrics.
    Worker(worker::Check),
    /// Whether the lock store answers, how long locks are held, and how long others wait for them.
    Locks(locks::Check),
}

/// How long a check waits.
#[derive(Debug, Clone, clap::Args)]
struct Patience {
    /// How long to wait for answers; what does not answer by then is CRITICAL.
    #[arg(long, value_name = "DURATION", value_parser = parse::positive, default_value = "10s")]
    timeout: Duration,
}

impl Command {
    /// What the line begins with.
    pub(crate) const fn service(&self) -> &'static str {
        match self {
            Self::Queue(_) => queue::SERVICE,
            Self::Worker(_) => worker::SERVICE,
            Self::Locks(_) => locks::SERVICE,
        }
    }
}

/// Looks, prints the line, and ends with its exit code.
pub(crate) async fn run(command: Command, session: &Session) -> Result<(), Error> {
    let report = match &command {
        Command::Queue(check) => check.run(session).await?,
        Command::Worker(check) => check.run(session).await?,
        Command::Locks(check) => check.run(session).await?,
    };
    // Where nobody reads the line, the exit code still tells.
    let _ = session.output.show(&report.document(), || report.line());
    ended(report.state())
}

fn ended(state: State) -> Result<(), Error> {
    match state {
        State::Ok => Ok(()),
        state => Err(Error::Checked(state.exit_code())),
    }
}

/// What became of a check that could not even begin: never an exit code that a monitoring system would take for another state.
pub(crate) fn not_begun(service: &'static str, error: Error) -> Error {
    if matches!(error, Error::Checked(_)) {
        return error;
    }
    unknown(service, &error.line())
}

/// The same for a command line that can't be read.
pub(crate) fn misused(service: &'static str, fault: &clap::Error) -> Error {
    let told = fault.to_string();
    let lines = told.lines().take_while(|line| !line.starts_with("Usage:")).map(str::trim);
    let told: Vec<&str> = lines.filter(|line| !line.is_empty() && !line.contains("try '--help'")).collect();
    let told = told.join(" ");
    unknown(service, told.strip_prefix("error: ").unwrap_or(&told))
}

fn unknown(service: &'static str, why: &str) -> Error {
    let report = Report::of(service, State::Unknown, why);
    // The command line may be what can't be read.
    let output = Output::new(std::env::args_os().any(|word| word == "--json"));
    let _ = output.show(&report.document(), || report.line());
    Error::Checked(report.state().exit_code())
}

/// The check that a command line asks for, which need not be right in any other part.
pub(crate) fn asked_for(program: &clap::Command, words: impl IntoIterator<Item = OsString>) -> Option<&'static str> {
    let takes_value = |option: &str| {
        let mut options = program.get_arguments().filter(|known| known.get_action().takes_values());
        options.any(|known| match option.strip_prefix("--") {
            Some(long) => known.get_long() == Some(long),
            None => known.get_short().is_some_and(|short| option == format!("-{short}")),
        })
    };
    let mut words = words.into_iter().skip(1);
    let mut commands = Vec::new();
    while let Some(word) = words.next() {
        let word = word.to_string_lossy().into_owned();
        if !word.starts_with('-') {
            commands.push(word);
        } else if takes_value(&word) {
            // What stands behind it is no command.
            words.next();
        }
    }
    let mut commands = commands.iter().map(String::as_str);
    if commands.next() != Some("check") {
        return None;
    }
    Some(match commands.next() {
        Some("queue") => queue::SERVICE,
        Some("worker") => worker::SERVICE,
        Some("locks") => locks::SERVICE,
        _ => "CHECK",
    })
}

/// What a look has found; that something does not answer is a finding too.
async fn bounded(
    service: &'static str,
    whom: &str,
    patience: &Patience,
    look: impl Future<Output = Result<Report, Error>>,
) -> Report {
    match timeout(patience.timeout, look).await {
        Ok(Ok(report)) => report,
        Ok(Err(error)) => Report::of(service, meaning(&error), error.line()),
        Err(_) => {
            let within = crate::text::duration(patience.timeout);
            Report::of(service, State::Critical, format!("{whom} does not answer within {within}"))
        }
    }
}

/// What was asked for wrongly, or is not shown to us, is not known; what does not answer is down.
const fn meaning(error: &Error) -> State {
    match error {
        Error::Usage(_)
        | Error::Broker { source: BrokerError::Refused { .. }, .. }
        | Error::Locks { source: LocksError::Refused { .. } | LocksError::Invalid(_), .. } => State::Unknown,
        _ => State::Critical,
    }
}

/// Refuses the address of a file that is not there: looking at it would create it, wherever the check happens to run.
fn refuse_absent_file(url: &str) -> Result<(), Error> {
    let path = url.strip_prefix("sqlite://").and_then(|rest| rest.split('?').next());
    // A percent sign may stand for another character.
    let Some(path) = path.filter(|path| !path.contains('%')).map(PathBuf::from) else { return Ok(()) };
    if path.exists() {
        return Ok(());
    }
    let shown = std::path::absolute(&path).unwrap_or(path);
    Err(Error::Usage(format!(
        "there is no file {}; name the one that the workers use by its whole path, such as sqlite:///var/lib/celeriac.db, \
         or set CELERIAC_BROKER_URL to the broker's address",
        shown.display()
    )))
}
