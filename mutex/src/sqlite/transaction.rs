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
    rules::{Line, Lock, micros, spend},
    store::{Answer, Ask, Hint, LeaseId, ProcessId, Renewal, Renewed, Spend, Spent, WAITER_TTL},
};

/// One transaction. What it tells our own processes is told when it is committed; what it tells others is in it.
pub(super) struct Transaction<'t, 'c> {
    pub(super) book: &'t mut Book<'c>,
    pub(super) household: &'t mut Household,
    pub(super) told: Vec<(ProcessId, Hint)>,
}

impl<'t, 'c> Transaction<'t, 'c> {
    pub(super) fn new(book: &'t mut Book<'c>, household: &'t mut Household) -> Self {
        Self { book, household, told: Vec::new() }
    }

    /// `None` where its process has closed.
    pub(super) fn acquire(&mut self, ask: &Ask) -> Result<Option<Answer>, Fault> {
        if !self.household.admit(&ask.process)? {
            return Ok(None);
        }
        let key = ask.key.to_string();
        let answer = self.with(&key, |lock, line, world| lock.acquire(line, world, ask))?;
        match answer {
            Answer::Granted(_) => self.household.holds(&ask.lease),
            Answer::Queued { .. } => self.household.waits(&ask.lease),
            Answer::Busy { .. } | Answer::Parked { .. } => self.household.forget(&ask.lease),
        }
        Ok(Some(answer))
    }

    pub(super) fn release(&mut self, key: &str, lease: &LeaseId) -> Result<bool, Fault> {
        self.household.forget(lease);
        Ok(self.with(key, |lock, line, world| lock.release(line, world, lease))?)
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
        Ok(self.with(key, |lock, line, world| lock.resize(line, world, leases))?)
    }

    pub(super) fn revoke(&mut self, key: &str, lease: &LeaseId) -> Result<bool, Fault> {
        Ok(self.with(key, |lock, _, world| Ok(lock.revoke(world, lease)))?)
    }

    pub(super) fn force_release(&mut self, key: &str, lease: &LeaseId) -> Result<bool, Fault> {
        Ok(self.with(key, |lock, line, world| lock.force_release(line, world, lease))?)
    }

    /// Removes what a process held or waited for live, and hands it on. Its parked places stay: their tasks come back elsewhere.
    pub(super) fn clear(&mut self, process: &ProcessId) -> Result<(), Fault> {
        let statements = &mut self.book.statements;
        let found = params![holders::escaped(process.as_str()), process.as_str()];
        let keys: Vec<String> = statements.concerned.query_map(found, |row| row.get(0))?.collect::<Result<_, _>>()?;
        for key in keys {
            let of = params![key, process.as_str()];
            let statement = &mut self.book.statements.waiters_of;
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
        let statement = &mut self.book.statements.take_hints;
        let hints = statement.query_map([process.as_str()], |row| {
            let (lease, after): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
            Ok((LeaseId::from(lease), after))
        })?;
        let hint = |(lease, after): (LeaseId, Option<i64>)| match after {
            None => Hint::Granted { lease },
            Some(after) => Hint::Look { lease, after: Duration::from_micros(unsigned(after)) },
        };
        Ok(hints.map(|row| row.map(hint)).collect::<Result<_, _>>()?)
    }

    /// Loads a lock, lets the rules act on it, and writes it back where they have changed it.
    fn with<T>(
        &mut self,
        key: &str,
        act: impl FnOnce(&mut Lock, &mut TableLine<'_, 'c>, &mut Local<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
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
        self.pass_on(told)?;
        if !known {
            self.book.tidy_locks(now)?;
        }
        Ok(result)
    }

    fn pass_on(&mut self, told: Vec<(ProcessId, Hint)>) -> rusqlite::Result<()> {
        for (process, hint) in told {
            if !self.household.is_other(&process) {
                self.told.push((process, hint));
                continue;
            }
            let (lease, after) = match hint {
                Hint::Granted { lease } => (lease, None),
                // It looks by itself within that time.
                Hint::Look { after, .. } if after >= WAITER_TTL => continue,
                Hint::Look { lease, after } => (lease, Some(signed(micros(after)))),
                Hint::Resync => continue,
            };
            self.book.statements.add_hint.execute(params![process.as_str(), lease.as_str(), after])?;
        }
        Ok(())
    }
}
