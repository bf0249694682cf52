use std::time::{Duration, SystemTime};

use celeriac_mutex::{LockKey, Owner, store::LockSummary};
use tokio::time::{Instant, timeout, timeout_at};

use super::{
    GOODBYE, Patience, bounded, refuse_absent_file,
    verdict::{Limits, Report, State},
};
use crate::{
    Error,
    commands::lock::{every, is_meant},
    config::{LockStore, parse},
    session::Session,
    text,
};

pub(super) const SERVICE: &str = "LOCKS";

/// How much of the time is kept back to tell what was found.
const RESERVE: Duration = Duration::from_millis(200);

/// `celeriac check locks`
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Check {
    /// Only locks of this name, whatever they are keyed on.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// WARNING when a lease is held for longer.
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    warn_held: Option<Duration>,
    /// CRITICAL when a lease is held for longer.
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    crit_held: Option<Duration>,
    /// WARNING when somebody waits for longer.
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    warn_wait: Option<Duration>,
    /// CRITICAL when somebody waits for longer.
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    crit_wait: Option<Duration>,
    /// WARNING when more wait for one lock.
    #[arg(long, value_name = "NUMBER", value_parser = parse::number::<u64>)]
    warn_waiting: Option<u64>,
    /// CRITICAL when more wait for one lock.
    #[arg(long, value_name = "NUMBER", value_parser = parse::number::<u64>)]
    crit_waiting: Option<u64>,
    #[command(flatten)]
    patience: Patience,
}

/// What the numbers are compared with.
struct Thresholds {
    held: Limits<Duration>,
    wait: Limits<Duration>,
    waiting: Limits<u64>,
}

/// The one that lasts longest.
#[derive(Debug, Default)]
struct Longest(Option<(Duration, LockKey, Owner)>);

impl Longest {
    fn see(&mut self, since: SystemTime, now: SystemTime, key: &LockKey, owner: &Owner) {
        let age = now.duration_since(since).unwrap_or_default();
        if self.0.as_ref().is_none_or(|(longest, ..)| age > *longest) {
            self.0 = Some((age, key.clone(), owner.clone()));
        }
    }

    fn tell(self, label: &str, limits: Limits<Duration>, report: &mut Report, words: (&str, &str)) {
        let (verb, none) = words;
        match self.0 {
            Some((age, key, owner)) => {
                report.duration(label, age, limits, format!("{owner} {verb} {key} for {}", text::rough(age)));
            }
            None => report.duration(label, Duration::ZERO, limits, none),
        }
    }
}

impl Check {
    pub(super) async fn run(&self, session: &Session) -> Result<Report, Error> {
        let thresholds = Thresholds {
            held: Limits::new("held", self.warn_held, self.crit_held)?,
            wait: Limits::new("wait", self.warn_wait, self.crit_wait)?,
            waiting: Limits::new("waiting", self.warn_waiting, self.crit_waiting)?,
        };
        let store = session.needed_lock_store()?;
        refuse_absent_file(&store.address)?;
        let whom = format!("the lock store at {}", store.address);
        let report = bounded(SERVICE, &whom, &self.patience, self.look(&thresholds, &store)).await;
        let _ = timeout(GOODBYE, store.locks.close()).await;
        Ok(report)
    }

    async fn look(&self, thresholds: &Thresholds, store: &LockStore) -> Result<Report, Error> {
        let deadline = Instant::now() + self.patience.timeout.saturating_sub(RESERVE);
        let mut found = every(store).await?;
        found.retain(|lock| self.accepts(lock));
        let (mut held, mut wait) = (Longest::default(), Longest::default());
        let mut report = Report::new(SERVICE, store.address.as_str());
        for (lock, seen) in found.iter().zip(0_usize..) {
            // What a crowd of locks takes too long for is not known; that the store answers is.
            let Ok(state) = timeout_at(deadline, store.locks.inspect(&lock.key)).await else {
                let many = text::plural(found.len() as u64, "lock");
                let why = format!("only {seen} of {many} were looked at in time: use --name, or a longer --timeout");
                report.fault(State::Unknown, why);
                break;
            };
            let state = state.map_err(Error::locks(format!("can't look at {}", lock.key)))?;
            // Gone meanwhile, where there is nothing.
            let Some(state) = state else { continue };
            let now = SystemTime::now();
            for holder in &state.holders {
                held.see(holder.since, now, &lock.key, &holder.owner);
            }
            for waiter in &state.waiters {
                wait.see(waiter.since, now, &lock.key, &waiter.owner);
            }
        }
        held.tell("oldest_hold", thresholds.held, &mut report, ("holds", "no lock is held"));
        wait.tell("longest_wait", thresholds.wait, &mut report, ("waits for", "nobody waits"));
        let most = found.iter().max_by_key(|lock| lock.waiting).filter(|lock| lock.waiting > 0);
        let told = most.map_or_else(String::new, |lock| format!("{} wait for {}", text::count(lock.waiting), lock.key));
        report.count("most_waiting", most.map_or(0, |lock| lock.waiting), thresholds.waiting, told);
        let leases = found.iter().map(|lock| u64::from(lock.used)).sum();
        report.count("held", leases, Limits::NONE, format!("{} held in all", text::plural(leases, "lease")));
        Ok(report)
    }

    fn accepts(&self, lock: &LockSummary) -> bool {
        is_meant(lock, self.name.as_deref()) && (lock.used > 0 || lock.waiting > 0)
    }
}
