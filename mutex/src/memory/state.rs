use std::{
    collections::HashMap,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use tokio::sync::mpsc;

use crate::{
    LockKey,
    rules::{self, Lock, MemoryLine, Micros, News, World, micros},
    store::{Hint, LockState, LockSummary, ProcessId, RETENTION, Spend, Spent},
};

/// From how many locks on those that nobody uses are looked for.
const MANY: usize = 1024;

#[derive(Debug)]
pub(super) struct State {
    locks: HashMap<LockKey, Entry>,
    rates: HashMap<LockKey, Micros>,
    pub(super) processes: HashMap<ProcessId, mpsc::Sender<Hint>>,
    clock: Clock,
    /// How many locks there were when the unused ones were last removed.
    kept: usize,
}

#[derive(Debug, Default)]
struct Entry {
    lock: Lock,
    line: MemoryLine,
    used_at: Micros,
}

/// The time of day when the store was made, and what has passed since: it never goes back.
#[derive(Debug, Clone, Copy)]
struct Clock {
    began: Micros,
    at: Instant,
}

impl Clock {
    fn now(&self) -> Micros {
        self.began + micros(self.at.elapsed())
    }
}

impl Default for State {
    fn default() -> Self {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            locks: HashMap::new(),
            rates: HashMap::new(),
            processes: HashMap::new(),
            clock: Clock { began: micros(began), at: Instant::now() },
            kept: 0,
        }
    }
}

/// One instant, and those who may be told.
#[derive(Debug)]
pub(super) struct Here<'a> {
    key: &'a LockKey,
    now: Micros,
    processes: &'a HashMap<ProcessId, mpsc::Sender<Hint>>,
}

impl World for Here<'_> {
    fn now(&self) -> Micros {
        self.now
    }

    fn tell(&mut self, process: &ProcessId, news: News) -> bool {
        let hint = news.about(self.key);
        // A full channel loses the hint, but somebody is there.
        self.processes
            .get(process)
            .is_some_and(|hints| !matches!(hints.try_send(hint), Err(mpsc::error::TrySendError::Closed(_))))
    }
}

impl State {
    pub(super) fn with<T>(
        &mut self,
        key: &LockKey,
        act: impl FnOnce(&mut Lock, &mut MemoryLine, &mut Here<'_>) -> T,
    ) -> T {
        let now = self.clock.now();
        if self.locks.len() > MANY.max(self.kept * 2) {
            self.locks.retain(|_, entry| !entry.is_unused() || now < entry.used_at + micros(RETENTION));
            self.kept = self.locks.len();
        }
        let entry = self.locks.entry(key.clone()).or_default();
        entry.used_at = now;
        act(&mut entry.lock, &mut entry.line, &mut Here { key, now, processes: &self.processes })
    }

    pub(super) fn spend(&mut self, spend: &Spend) -> Spent {
        let now = self.clock.now();
        let (next, said) = rules::spend(self.rates.get(&spend.key).copied(), now, spend);
        if let Some(next) = next {
            self.rates.retain(|_, turn| *turn > now);
            self.rates.insert(spend.key.clone(), next);
        }
        said
    }

    pub(super) fn list(&self, limit: usize) -> Vec<LockSummary> {
        let shown = self.locks.iter().filter(|(_, entry)| !entry.is_unused());
        let summary =
            |(key, entry): (&LockKey, &Entry)| entry.lock.summary(key, entry.line.len() as u64, self.clock.now());
        shown.take(limit).map(summary).collect()
    }

    pub(super) fn inspect(&self, key: &LockKey) -> Option<LockState> {
        let entry = self.locks.get(key)?;
        let waiting = entry.line.in_order().into_iter().cloned();
        Some(entry.lock.describe(key, waiting, self.clock.now()))
    }
}

impl Entry {
    fn is_unused(&self) -> bool {
        self.lock.is_idle() && self.line.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_clock_never_goes_back() {
        let clock = State::default().clock;
        let before = clock.now();
        assert!(clock.now() >= before);
        assert!(before > micros(Duration::from_secs(1_700_000_000)));
    }
}
