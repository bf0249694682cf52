use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Lock, Micros, Waiting};
use crate::{
    FencingToken, LockKey,
    store::{Holder, LockState, LockSummary, Waiter},
};

impl Lock {
    /// One line about it.
    pub fn summary(&self, key: &LockKey, waiting: u64, now: Micros) -> LockSummary {
        let used =
            self.holders.iter().filter(|held| held.ends.is_none_or(|ends| ends > now)).map(|held| held.weight).sum();
        LockSummary { key: key.clone(), leases: self.leases.unwrap_or_default(), used, waiting }
    }

    /// Everything about it, with those who wait in their order.
    pub fn describe(&self, key: &LockKey, line: impl IntoIterator<Item = Waiting>, now: Micros) -> LockState {
        let present = self.holders.iter().filter(|held| held.ends.is_none_or(|ends| ends > now));
        let holders: Vec<_> = present
            .map(|held| Holder {
                lease: held.lease.clone(),
                owner: held.owner.clone(),
                weight: held.weight,
                since: time(held.since),
                ttl_left: held.ends.map(|ends| Duration::from_micros(ends - now)),
                fence: FencingToken::new(held.fence),
                revoked: held.revoked,
            })
            .collect();
        let waiters = line.into_iter().filter(|waiting| waiting.until > now).map(|waiting| Waiter {
            lease: waiting.lease,
            owner: waiting.owner,
            weight: waiting.weight,
            since: time(waiting.since),
            due: waiting.due.map(time),
        });
        LockState {
            key: key.clone(),
            leases: self.leases.unwrap_or_default(),
            resized: self.resized,
            used: holders.iter().map(|holder| holder.weight).sum(),
            fence: FencingToken::new(self.fence),
            mean_hold: self.mean_hold.map(Duration::from_micros),
            holders,
            waiters: waiters.collect(),
        }
    }
}

fn time(micros: Micros) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(micros)
}
