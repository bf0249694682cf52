//! What can be done within one transaction.

use std::time::Duration;

use rusqlite::params;

use super::{
    book::Book,
    clock::{signed, unsigned},
    fault::Fault,
    holders,
    household::Household,
    line::{TableLine, found},
    lock,
    world::Local,
};
use crate::{
    rules::{Line, Lock, News, micros, spend},
    store::{Answer, Ask, Hint, LeaseId, ProcessId, Release, Renewal, Renewed, Spend, Spent, WAITER_TTL},
};

/// One transaction. What it tells our own processes is told when it is committed; what it tells others is in it.
pub(super) struct Transaction<'t, 'b, 'c> {
    pub(super) book: &'t mut Book<'b, 'c>,
    pub(super) household: &'t mut Household,
    pub(super) told: Vec<(ProcessId, Hint)>,
}

/// Why a question for a lease makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// Its process has closed.
    Closed,
    /// It wants more leases than there are.
    TooHeavy { stored: u32 },
}

impl<'t, 'b, 'c> Transaction<'t, 'b, 'c> {
    pub(super) fn new(book: &'t mut Book<'b, 'c>, household: &'t mut Household) -> Self {
        Self { book, household, told: Vec::new() }
    }

    pub(super) fn acquire(&mut self, ask: &Ask) -> Result<Result<Answer, Unanswered>, Fault> {
        if !self.household.admit(&ask.process)? {
            return Ok(Err(Unanswered::Closed));
        }
        let key = ask.key.to_string();
        let answer = self.with(&key, |lock, line, world| match lock.leases {
            // It would wait for ever.
            Some(stored) if ask.weight > stored => Ok(Err(Unanswered::TooHeavy { stored })),
            _ => lock.acquire(line, world, ask).map(Ok),
        })?;
        match answer {
            Ok(Answer::Granted(_)) => self.household.holds(&ask.lease),
            Ok(Answer::Queued { .. }) => self.household.waits(&ask.lease),
            _ => self.household.forget(&ask.lease),
        }
        Ok(answer)
    }

    /// The answer is for `here`; `None` where nobody waits for it any more.
    pub(super) fn release(&mut self, key: &str, lease: &LeaseId, here: Option<&ProcessId>) -> Result<Release, Fault> {
        self.household.forget(lease);
        let release = self.with(key, |lock, line, world| lock.release(line, world, lease, here))?;
        for handed in &release.handed {
            self.household.holds(&handed.lease);
        }
        Ok(release)
    }

    pub(super) fn renew(&mut self, renewal: &Renewal) -> Result<Renewed, Fault> {
        let ask = &renewal.ask;
        if !self.household.admit(&ask.process)? {
            return Ok(Renewed::Lost);
        }
        let key = ask.key.to_string();
        let renewed = self.with(&key, |lock, line, world| lock.renew(line, world, renewal))?;
        match renewed {
            Renewed::Held { .. } | Renewed::Granted(_) => self.household.holds(&ask.lease),
            Renewed::Waiting { .. } => self.household.waits(&ask.lease),
            Renewed::Lost => self.household.forget(&ask.lease),
        }
        Ok(renewed)
    }

    pub(super) fn spend(&mut self, ask: &Spend) -> Result<Spent, Fault> {
        let (key, now) = (ask.key.to_string(), self.book.clock.now());
        let back_at = found(self.book.statements.rate.query_row([&key], |row| row.get(0)))?;
        let (new, spent) = spend(back_at.map(unsigned), now, ask);
        if let Some(new) = new {
            self.book.statements.set_rate.execute(params![key, signed(new)])?;
        }
        if back_at.is_none() {
            self.book.tidy_rates(&key, now)?;
        }
        Ok(spent)
    }

    pub(super) fn resize(&mut self, key: &str, leases: Option<u32>) -> Result<(), Fault> {
        self.with(key, |lock, line, world| lock.resize(line, world, leases))
    }

    pub(super) fn revoke(&mut self, key: &str, lease: &LeaseId) -> Result<bool, Fault> {
        self.with(key, |lock, _, world| Ok(lock.revoke(world, lease)))
    }

    pub(super) fn force_release(&mut self, key: &str, lease: &LeaseId) -> Result<bool, Fault> {
        self.with(key, |lock, line, world| lock.force_release(line, world, lease))
    }

    /// Removes what a process held or waited for live, and hands it on. Its parked places stay: their tasks come back elsewhere.
    pub(super) fn clear(&mut self, process: &ProcessId) -> Result<(), Fault> {
        let statements = &mut self.book.statements;
        let found = params![holders::escaped(process.as_str()), process.as_str()];
        let keys: Vec<String> = statements.concerned.query_map(found, |row| row.get(0))?.collect::<Result<_, _>>()?;
        for key in keys {
            let of = params![key, process.as_str()];
            let statement = &mut *self.book.statements.waiters_of;
            let waiters: Vec<String> = statement.query_map(of, |row| row.get(0))?.collect::<Result<_, _>>()?;
            self.with(&key, |lock, line, world| {
                for lease in waiters {
                    line.remove(&lease.into())?;
                }
                lock.holders.retain(|held| held.process != *process);
                lock.sweep(line, world)
            })?;
        }
        self.hear(process)?;
        Ok(())
    }

    /// Takes what others have told a process of ours.
    pub(super) fn hear(&mut self, process: &ProcessId) -> Result<Vec<Hint>, Fault> {
        let statement = &mut *self.book.statements.take_hints;
        let rows = statement.query_map([process.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let rows: Vec<(String, String, Option<i64>)> = rows.collect::<Result<_, _>>()?;
        let news = |lease: String, after: Option<i64>| match after {
            None => News::Granted(lease.into()),
            Some(after) => News::Look(lease.into(), Duration::from_micros(unsigned(after))),
        };
        rows.into_iter()
            .map(|(lease, key, after)| Ok(news(lease, after).about(&key.parse().map_err(unknown)?)))
            .collect()
    }

    /// Loads a lock, lets the rules act on it, and writes it back where they have changed it.
    fn with<T>(
        &mut self,
        key: &str,
        act: impl FnOnce(&mut Lock, &mut TableLine<'_, 'b, 'c>, &mut Local<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        let now = self.book.clock.now();
        let statements = &mut self.book.statements;
        let lock::Loaded { mut lock, known, crowded, .. } = lock::load(statements, key)?;
        let before = lock.clone();
        let grace_until = self.book.grace_until;
        let mut world = Local { now, grace_until, household: self.household, told: Vec::new() };
        let mut line = TableLine::new(statements, key, crowded);
        let result = act(&mut lock, &mut line, &mut world)?;
        let told = world.told;
        if lock != before {
            lock::store(statements, key, &lock, known, now)?;
        }
        self.pass_on(key, told)?;
        if !known {
            self.book.tidy_locks(now)?;
        }
        Ok(result)
    }

    fn pass_on(&mut self, key: &str, told: Vec<(ProcessId, News)>) -> Result<(), Fault> {
        for (process, news) in told {
            if !self.household.is_other(&process) {
                self.told.push((process, news.about(&key.parse().map_err(unknown)?)));
                continue;
            }
            let (lease, after) = match news {
                News::Granted(lease) => (lease, None),
                // It looks by itself within that time.
                News::Look(_, after) if after >= WAITER_TTL => continue,
                News::Look(lease, after) => (lease, Some(signed(micros(after)))),
            };
            self.book.statements.add_hint.execute(params![process.as_str(), lease.as_str(), key, after])?;
        }
        Ok(())
    }
}

/// Another program has written it.
fn unknown(error: impl std::fmt::Display) -> Fault {
    Fault::Refused(format!("there is something among the locks that is none: {error}"))
}
