//! Semaphores: how many leases they have, and who says so.

use celeriac_mutex::{LockKey, store::LockState};
use serde_json::{Value, json};

use super::lock::{List, SEMAPHORES, Show, Target, every, leases};
use crate::{
    Error,
    config::{LockStore, parse},
    output::Output,
    text,
};

/// `celeriac semaphore ..`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the semaphores that are held, waited for or resized: how many leases, who has set that, how many are held.
    List(List),
    /// Show one semaphore: its holders, and those who wait, in the order in which they will be served.
    Show(Show),
    /// Set how many leases a semaphore has, for good: workers that say another number obey. Nothing is taken from a holder.
    Resize(Resize),
}

#[derive(Debug, Clone, clap::Args)]
#[group(id = "size", required = true, multiple = false, args = ["leases", "default"])]
pub(crate) struct Resize {
    #[command(flatten)]
    target: Target,
    /// How many leases it has from now on.
    #[arg(long, value_name = "NUMBER", value_parser = parse::leases)]
    leases: Option<u32>,
    /// Go back to what the program says.
    #[arg(long)]
    default: bool,
    /// Every key of that name that is held, waited for or resized now.
    #[arg(long, conflicts_with = "key")]
    all: bool,
    /// Set it even if nobody has used it yet.
    #[arg(long, conflicts_with = "all")]
    create: bool,
}

pub(crate) async fn run(command: Command, output: Output, store: &LockStore) -> Result<(), Error> {
    match command {
        Command::List(list) => {
            let listed = list.gather(&SEMAPHORES, store).await?;
            output.show(&listed.document(), || listed.semaphores_table())?;
            listed.note();
            Ok(())
        }
        Command::Show(show) => show.run(&SEMAPHORES, output, store).await,
        Command::Resize(resize) => {
            let resized = resize.perform(store).await?;
            let document =
                json!({"leases": resize.leases, "resized": resized.iter().map(Resized::document).collect::<Vec<_>>()});
            output.show(&document, || resized.iter().map(|resized| resized.people(resize.leases)).collect())
        }
    }
}

/// One key that was resized.
#[derive(Debug)]
struct Resized {
    key: LockKey,
    before: Option<u32>,
    held: u32,
    /// How many are held beyond the new number.
    above: u32,
    /// How many wait for more than the new number, and will not get it.
    too_heavy: usize,
}

impl Resize {
    async fn perform(&self, store: &LockStore) -> Result<Vec<Resized>, Error> {
        let mut resized = Vec::new();
        for key in self.keys(store).await? {
            let state = look(&key, store).await?;
            let doing = format!("can't resize {key}");
            store.locks.resize(&key, self.leases).await.map_err(Error::locks(doing))?;
            resized.push(Resized::of(key, state.as_ref(), self.leases));
        }
        Ok(resized)
    }

    /// The keys that are meant.
    async fn keys(&self, store: &LockStore) -> Result<Vec<LockKey>, Error> {
        let asked = self.target.candidates(&SEMAPHORES)?.remove(0);
        if !self.all {
            return if self.create {
                Ok(vec![asked])
            } else {
                Ok(vec![self.target.find(&SEMAPHORES, store).await?.key])
            };
        }
        if asked != LockKey::new(asked.kind(), &asked.name()) {
            return Err(Error::Usage(format!("--all means every key of a name, and {asked} is one of them")));
        }
        let mut every = every(store).await?;
        every.retain(|lock| lock.key.kind() == asked.kind() && lock.key.name() == asked.name());
        if every.is_empty() {
            return Err(Error::Failed(format!(
                "no semaphore of the name {} is held, waited for or resized at {}; `celeriac semaphore list` shows those \
                 that are",
                asked.name(),
                store.address
            )));
        }
        Ok(every.into_iter().map(|lock| lock.key).collect())
    }
}

async fn look(key: &LockKey, store: &LockStore) -> Result<Option<LockState>, Error> {
    store.locks.inspect(key).await.map_err(Error::locks(format!("can't look at {key}")))
}

impl Resized {
    /// What it means for a lock that was so before.
    fn of(key: LockKey, state: Option<&LockState>, now: Option<u32>) -> Self {
        let held = state.map_or(0, |state| state.used);
        let heavier = |leases: u32| {
            let waiters = state.iter().flat_map(|state| &state.waiters);
            waiters.filter(|waiter| waiter.weight > leases).count()
        };
        Self {
            key,
            before: state.and_then(leases),
            held,
            above: now.map_or(0, |leases| held.saturating_sub(leases)),
            too_heavy: now.map_or(0, heavier),
        }
    }

    fn document(&self) -> Value {
        json!({
            "address": self.key.to_string(),
            "before": self.before,
            "held": self.held,
            "above": self.above,
            "too_heavy": self.too_heavy,
        })
    }

    fn people(&self, now: Option<u32>) -> String {
        let before = self.before.map_or_else(String::new, |before| format!(", {before} before"));
        let has =
            now.map_or_else(|| "what the next one to use it says".into(), |now| text::plural(now.into(), "lease"));
        let above = (self.above > 0).then(|| format!(": {} above that, not given out again when released", self.above));
        let too_heavy = match self.too_heavy {
            0 => String::new(),
            1 => "; 1 waits for more than that, and those behind it wait too".into(),
            many => format!("; {many} wait for more than that, and those behind them wait too"),
        };
        let line =
            format!("{} has {has}{before}; {} held{}{too_heavy}", self.key, self.held, above.unwrap_or_default());
        text::one_line(&line) + "\n"
    }
}

#[cfg(test)]
#[path = "semaphore_tests.rs"]
mod tests;
