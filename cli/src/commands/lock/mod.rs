//! Locks: who holds them, who waits, and how an operator steps in.

mod audit;
mod holders;
mod list;
mod release;
mod revoke;
mod show;
mod target;
mod view;

pub(crate) use list::{List, every, is_meant};
pub(crate) use show::Show;
pub(crate) use target::{SEMAPHORES, Target};
pub(crate) use view::leases;

use crate::{Error, config::LockStore, output::Output};

/// `celeriac lock ..`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the locks that are held or waited for: the oldest holder, since when, and how many wait.
    List(List),
    /// Show one lock: its holders, and those who wait, in the order in which they will be served.
    Show(Show),
    /// Take a lock from its holder, whether it agrees or not, and hand it to whoever waits first. The old holder may still be
    /// running.
    Release(release::Release),
    /// Ask a holder to let go, and wait for it to do so.
    Revoke(revoke::Revoke),
}

pub(crate) async fn run(command: Command, output: Output, store: &LockStore) -> Result<(), Error> {
    match command {
        Command::List(list) => {
            let listed = list.gather(&target::LOCKS, store).await?;
            output.show(&listed.document(), || listed.locks_table(std::time::SystemTime::now()))?;
            listed.note();
            Ok(())
        }
        Command::Show(show) => show.run(&target::LOCKS, output, store).await,
        Command::Release(release) => release::run(&release, output, store).await,
        Command::Revoke(revoke) => revoke::run(&revoke, output, store).await,
    }
}

#[cfg(test)]
mod tests;
