//! What became of the deliveries of one worker.

use std::{
    collections::BTreeMap,
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use celeriac_broker::Outcome;

/// Counts outcomes.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    lost: AtomicU64,
    started: AtomicU64,
}

/// How many deliveries had each outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tally {
    /// Deliveries by outcome; outcomes that did not occur are left out.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Runs whose delivery the broker had taken back before they were settled; they run again.
    pub lost: u64,
    /// Attempts started.
    pub attempts: u64,
}

/// What a worker left behind when it stopped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DrainReport {
    /// What it did while it ran.
    pub tally: Tally,
    /// Runs that finished after it was asked to stop.
    pub finished: u64,
    /// Runs that did not finish in time and were given back, no attempt counted.
    pub given_back: u64,
    /// Runs that still hold their thread, by task and id; their messages were given back as well.
    pub stuck: Vec<String>,
    /// How long stopping took.
    pub took: Duration,
}

impl Counters {
    pub(crate) fn count(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_start(&self) {
        self.started.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn tally(&self) -> Tally {
        let counts =
            Outcome::ALL.iter().map(|outcome| (*outcome, self.outcomes[*outcome as usize].load(Ordering::Relaxed)));
        Tally {
            outcomes: counts.filter(|(_, count)| *count > 0).collect(),
            lost: self.lost.load(Ordering::Relaxed),
            attempts: self.started.load(Ordering::Relaxed),
        }
    }
}

impl Tally {
    /// How many deliveries had this outcome.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes.get(&outcome).copied().unwrap_or(0)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} attempt{}", self.attempts, if self.attempts == 1 { "" } else { "s" })?;
        for (outcome, count) in &self.outcomes {
            write!(f, ", {count} {outcome}")?;
        }
        if self.lost > 0 {
            write!(f, ", {} lost before they were settled", self.lost)?;
        }
        Ok(())
    }
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stopped in {:.1} s: {} finished, {} given back, {} stuck; {}",
            self.took.as_secs_f64(),
            self.finished,
            self.given_back,
            self.stuck.len(),
            self.tally
        )?;
        for stuck in &self.stuck {
            write!(f, "\n  stuck: {stuck}")?;
        }
        Ok(())
    }
}
