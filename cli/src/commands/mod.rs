//! The commands, one file each.

pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod dead;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod lock;
pub(crate) mod queue;
pub(crate) mod semaphore;
pub(crate) mod task;
pub(crate) mod worker;

use crate::{Error, args::Verb, session::Session};

/// Runs what an operator asked for.
pub(crate) async fn run(verb: Verb, session: &Session, program: clap::Command) -> Result<(), Error> {
    match verb {
        Verb::Config(command) => config::run(&command, session),
        Verb::Completions(command) => completions::run(&command, program),
        Verb::Check(command) => check::run(command, session).await,
        Verb::Lock(command) => {
            let store = session.needed_lock_store()?;
            let done = lock::run(command, session.output, &store).await;
            store.locks.close().await;
            done
        }
        Verb::Semaphore(command) => {
            let store = session.needed_lock_store()?;
            let done = semaphore::run(command, session.output, &store).await;
            store.locks.close().await;
            done
        }
        verb => {
            let broker = session.broker()?;
            let done = match verb {
                Verb::Queue(command) => queue::run(command, session, &broker).await,
                Verb::Dead(command) => dead::run(command, session, &broker).await,
                Verb::Task(command) => task::run(command, session, &broker).await,
                Verb::Doctor(command) => doctor::run(command, session, &broker).await,
                Verb::Check(_) | Verb::Lock(_) | Verb::Semaphore(_) | Verb::Config(_) | Verb::Completions(_) => Ok(()),
            };
            broker.close().await;
            done
        }
    }
}
