//! The one child that runs in the foreground, and the signals meant for it.

use std::io::{self, IsTerminal};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::Failure;

static CHILD: Mutex<Option<Pid>> = Mutex::new(None);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From here on a signal ends the child in the foreground first, so that services are ended after what uses them.
pub(crate) fn handle_signals() -> Result<(), Failure> {
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]);
    let mut signals = signals.map_err(|error| Failure::Failed(format!("cannot handle signals: {error}")))?;
    thread::spawn(move || {
        for signal in signals.forever() {
            INTERRUPTED.store(true, Ordering::SeqCst);
            let Some(child) = *CHILD.lock().unwrap_or_else(PoisonError::into_inner) else {
                // Nothing to wait for: the guardians end what has been started.
                std::process::exit(i32::from(Failure::Interrupted.exit_code()));
            };
            // A terminal sends SIGINT to the child too; a second one would make it drop everything.
            if signal != SIGINT || !io::stdin().is_terminal() {
                let _ = kill(child, Signal::try_from(signal).unwrap_or(Signal::SIGTERM));
            }
        }
    });
    Ok(())
}

/// Runs a command to its end.
///
/// # Errors
/// When it does not start, or a signal came meanwhile.
pub(crate) fn run(command: &mut Command) -> Result<ExitStatus, Failure> {
    let spawned = {
        // Locked over the start: a signal finds either no child, or one that it can reach.
        let mut current = CHILD.lock().unwrap_or_else(PoisonError::into_inner);
        let spawned = command.spawn();
        *current = spawned.as_ref().ok().map(|child| Pid::from_raw(child.id().cast_signed()));
        spawned
    };
    let status = spawned.and_then(|mut child| child.wait());
    *CHILD.lock().unwrap_or_else(PoisonError::into_inner) = None;
    match status {
        _ if INTERRUPTED.load(Ordering::SeqCst) => Err(Failure::Interrupted),
        Ok(status) => Ok(status),
        Err(error) => Err(Failure::Failed(format!("`{}` does not run: {error}", shown(command)))),
    }
}

/// Runs a command that has to succeed.
pub(crate) fn run_well(command: &mut Command) -> Result<(), Failure> {
    let status = run(command)?;
    if status.success() { Ok(()) } else { Err(Failure::Failed(format!("`{}` failed: {status}", shown(command)))) }
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
