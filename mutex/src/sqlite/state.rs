//! What operators are shown.

use std::time::Duration;

use rusqlite::params;

use super::{
    fault::Fault,
    holders,
    line::waiting,
    lock::{self, Loaded},
    transaction::Transaction,
};
use crate::{
    FencingToken, LockKey,
    rules::{Held, Waiting, micros},
    store::{Holder, LockState, LockSummary, RETENTION, Waiter},
};

impl Transaction<'_, '_> {
    /// The locks that exist, those in use first.
    pub(super) fn list(&mut self, limit: usize) -> Result<Vec<LockSummary>, Fault> {
        let sql = "SELECT key, coalesce(leases, 1), holders,
                (SELECT coalesce(sum(waiters), 0) FROM celeriac_lock_crowd AS crowd WHERE crowd.key = lock.key) AS waiters
            FROM celeriac_lock AS lock WHERE holders IS NOT NULL OR resized OR waiters > 0 OR used_at > ?1
            ORDER BY holders IS NULL AND NOT resized AND waiters = 0 LIMIT ?2";
        let since = self.book.clock.now().saturating_sub(micros(RETENTION));
        let mut statement = self.book.connection.prepare(sql)?;
        let mut rows = statement.query(params![super::clock::signed(since), super::clock::signed(limit as u64)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            // Whatever another program has written here is no lock of ours.
            let Ok(key) = row.get::<_, String>(0)?.parse::<LockKey>() else { continue };
            let holders = row.get::<_, Option<String>>(2)?.and_then(|text| holders::decode(&text)).unwrap_or_default();
            let living = holders.iter().filter(|held| !self.household.is_dead(&held.process));
            let used = living.map(|held| held.weight).sum();
            let waiting = super::clock::unsigned(row.get(3)?);
            found.push(LockSummary { key, leases: row.get(1)?, used, waiting });
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
        lock.holders.retain(|held| !self.household.is_dead(&held.process));
        let clock = self.book.clock;
        let holder = |held: &Held| Holder {
            lease: held.lease.clone(),
            owner: held.owner.clone(),
            weight: held.weight,
            since: clock.time_of(held.since),
            ttl_left: None,
            fence: FencingToken::new(held.fence),
            revoked: held.revoked,
        };
        let waiter = |waiting: Waiting| Waiter {
            lease: waiting.lease,
            owner: waiting.owner,
            weight: waiting.weight,
            since: clock.time_of(waiting.since),
            due: waiting.due.map(|due| clock.time_of(due)),
        };
        Ok(Some(LockState {
            key: key.clone(),
            leases: lock.leases.unwrap_or(1),
            resized: lock.resized,
            used: lock.used(),
            fence: FencingToken::new(lock.fence),
            mean_hold: lock.mean_hold.map(Duration::from_micros),
            holders: lock.holders.iter().map(holder).collect(),
            waiters: self.waiters(&name)?.into_iter().map(waiter).collect(),
        }))
    }

    /// Those who wait and live, or will come back, in the order in which they will be served.
    fn waiters(&self, key: &str) -> Result<Vec<Waiting>, Fault> {
        let sql = "SELECT rank, lease, process, weight, ttl, since, until, due, owner FROM celeriac_lock_waiter
            WHERE key = ?1 AND until > ?2 ORDER BY rank";
        let mut statement = self.book.connection.prepare(sql)?;
        let now = super::clock::signed(self.book.clock.now());
        let rows = statement.query_map(params![key, now], waiting)?;
        let mut waiters = rows.collect::<Result<Vec<_>, _>>()?;
        waiters.retain(|waiting| waiting.due.is_some() || !self.household.is_dead(&waiting.process));
        Ok(waiters)
    }
}
