//! `celeriac demo DIR`: finds the duplicate files under a folder, as a job of many tasks.
//!
//! A producer walks the folder and publishes a `files.digest` task for each file to the queue `digest`; a worker hashes
//! them; each digest publishes what it read to `report.<run>`, where one collector merges it by path into a state file.
//! The parts run in one process, or each in its own.

mod collect;
mod hash;
mod journal;
mod merge;
mod path;
mod place;
mod produce;
mod progress;
mod report;
mod run;
mod stragglers;
mod tasks;
mod walk;
mod work;

use std::path::PathBuf;

use celeriac_broker::Broker;

use crate::{Error, config::parse, session::Session};

/// `celeriac demo`
#[derive(Debug, clap::Args)]
pub(crate) struct Command {
    /// The folder whose duplicate files are to be found. Nothing in it is changed.
    dir: PathBuf,
    /// Only walk the folder and publish a task for each file.
    #[arg(long, conflicts_with_all = ["work_only", "collect_only"])]
    produce_only: bool,
    /// Only hash what others publish, for DIR and for other folders; ends when nothing is left.
    #[arg(long, conflicts_with = "collect_only")]
    work_only: bool,
    /// Only collect what others read, and print the report when it is complete.
    #[arg(long)]
    collect_only: bool,
    /// How many files are hashed at once [default: twice the number of cores, at least 4].
    #[arg(short, long, value_name = "NUMBER", value_parser = parse::at_least_one)]
    concurrency: Option<u16>,
}

/// Which parts of the job this process does.
#[derive(Debug, Clone, Copy)]
struct Parts {
    produce: bool,
    work: bool,
    collect: bool,
}

impl Command {
    fn parts(&self) -> Parts {
        let only = self.produce_only || self.work_only || self.collect_only;
        Parts {
            produce: self.produce_only || !only,
            work: self.work_only || !only,
            collect: self.collect_only || !only,
        }
    }

    /// Of the flag, else of the environment.
    fn concurrency(&self, session: &Session) -> u16 {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let default = || u16::try_from(cores * 2).unwrap_or(u16::MAX).max(4);
        let settings = session.config.settings.concurrency.as_ref().map(|setting| setting.value);
        self.concurrency.or(settings).unwrap_or_else(default)
    }
}

pub(crate) async fn run(command: &Command, session: &Session) -> Result<(), Error> {
    let broker = session.broker()?;
    let done = start(command, session, &broker).await;
    broker.close().await;
    done
}

async fn start(command: &Command, session: &Session, broker: &Broker) -> Result<(), Error> {
    let place = place::Place::of(&command.dir, broker)?;
    let run = run::Run::prepare(place, broker, command.parts(), command.concurrency(session)).await?;
    run.drive(session.output).await
}
