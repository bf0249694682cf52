//! What operators are shown.

use std::time::SystemTime;

use rusqlite::params;

use super::{
    clock::{signed, unsigned},
    fault::Fault,
    line::waiting,
    lock::{self, Loaded},
    transaction::Transaction,
};
use crate::{
    LockKey,
    rules::{Lock, Waiting, micros},
    store::{LockState, LockSummary, RETENTION},
};

impl Transaction<'_, '_, '_> {
    /// The locks that are held, waited for, or were given a number of leases.
    pub(super) fn list(&mut self, limit: usize) -> Result<Vec<LockSummary>, Fault> {
        let sql = "SELECT key, (SELECT coalesce(sum(waiters), 0) FROM celeriac_lock_crowd AS crowd WHERE crowd.key = lock.key) AS waiters
            FROM celeriac_lock AS lock WHERE holders IS NOT NULL OR resized OR waiters > 0";
        let mut statement = self.book.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(row) = rows.next()?
        {
            let (name, waiting): (String, i64) = (row.get(0)?, row.get(1)?);
            // Whatever another program has written here is no lock of ours.
            let Ok(key) = name.parse::<LockKey>() else { continue };
            let Loaded { mut lock, .. } = lock::load(&mut self.book.statements, &name)?;
            self.without_the_dead(&mut lock);
            if waiting > 0 || !lock.is_idle() {
                found.push(lock.summary(&key, unsigned(waiting), self.book.clock.now()));
            }
        }
        Ok(found)
    }

    /// Everything about one lock.
    pub(super) fn inspect(&mut self, key: &LockKey) -> Result<Option<LockState>, Fault> {
        let (name, now) = (key.to_string(), self.book.clock.now());
        let Loaded { mut lock, known, crowded, used_at } = lock::load(&mut self.book.statements, &name)?;
        let lately = used_at > now.saturating_sub(micros(RETENTION));
        if !known || (lock.is_idle() && !crowded && !lately) {
            return Ok(None);
        }
        self.without_the_dead(&mut lock);
        let mut state = lock.describe(key, self.waiters(&name)?, now);
        let shown = |time: &mut SystemTime| {
            let at = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            *time = self.book.clock.time_of(micros(at));
        };
        state.holders.iter_mut().for_each(|holder| shown(&mut holder.since));
        for waiter in &mut state.waiters {
            shown(&mut waiter.since);
            waiter.due.iter_mut().for_each(shown);
        }
        Ok(Some(state))
    }

    fn without_the_dead(&self, lock: &mut Lock) {
        lock.holders.retain(|held| !self.household.is_dead(&held.process));
    }

    /// Those who wait and live, or will come back, in the order in which they will be served.
    fn waiters(&self, key: &str) -> Result<Vec<Waiting>, Fault> {
        let sql = "SELECT rank, lease, process, weight, ttl, since, until, due, owner FROM celeriac_lock_waiter
            WHERE key = ?1 AND until > ?2 ORDER BY rank";
        let mut statement = self.book.connection.prepare(sql)?;
        let now = signed(self.book.clock.now());
        let rows = statement.query_map(params![key, now], waiting)?;
        let mut waiters = rows.collect::<Result<Vec<_>, _>>()?;
        waiters.retain(|waiting| waiting.due.is_some() || !self.household.is_dead(&waiting.process));
        Ok(waiters)
    }
}
