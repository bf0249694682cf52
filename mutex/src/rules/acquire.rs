use std::time::Duration;

use super::{Line, Lock, Micros, Waiting, World, micros};
use crate::{
    FencingToken,
    store::{Answer, Ask, Granted, PLACE_DELAY, PLACE_GRACE, Queueing, WAITER_TTL},
};

/// What a hold is taken to last before the first release has shown it.
pub(crate) const UNKNOWN_HOLD: Micros = 50_000;

/// How many stale places one operation removes.
pub(crate) const STALE: usize = 16;

impl Lock {
    /// Answers a question for a lease.
    pub fn acquire<L: Line>(&mut self, line: &mut L, world: &mut impl World, ask: &Ask) -> Result<Answer, L::Error> {
        let now = world.now();
        self.reap(world);
        line.remove_stale(now, STALE)?;
        let expiring = world.expiring();
        let leases = *self.leases.get_or_insert(ask.leases);
        if let Some(granted) = self.again(world, ask) {
            // The reply to the same question was lost.
            return Ok(Answer::Granted(granted));
        }
        let (rank, since) = self.rank(line, now, ask)?;
        // Whoever was ahead and can be served is served first.
        self.pump(line, world)?;
        if let Some(granted) = self.again(world, ask) {
            // It stood at the head of the line itself.
            return Ok(Answer::Granted(granted));
        }
        if self.kept_back(world).is_none() && self.may_take(line, now, ask, rank)? {
            self.pass_over(line, rank)?;
            line.remove(&ask.lease)?;
            let fence = self.grant(world, ask.into(), ask.ttl);
            return Ok(Answer::Granted(Granted {
                fence: FencingToken::new(fence),
                ttl: lasting(expiring, ask.ttl),
                leases,
            }));
        }
        let holder = self.holders.first().map(|held| held.owner.clone());
        let waiting = |until: Duration, due: Option<Micros>| Waiting {
            rank,
            lease: ask.lease.clone(),
            process: ask.process.clone(),
            weight: ask.weight,
            ttl: ask.ttl,
            since,
            until: now + micros(until),
            due,
            owner: ask.owner.clone(),
        };
        match ask.queueing {
            Queueing::No => {
                let waiting = line.live_before(u64::MAX)? + line.parked_before(u64::MAX)?;
                Ok(Answer::Busy { holder, retry_in: self.wait_for(world, 1, 1.0), waiting })
            }
            Queueing::Wait => {
                self.ranks = self.ranks.max(rank);
                let position = line.live_before(rank)? + 1;
                line.put(waiting(WAITER_TTL, None))?;
                Ok(Answer::Queued { position, look_in: self.look_in(line, world)? })
            }
            Queueing::Park { jitter } => {
                self.ranks = self.ranks.max(rank);
                let position = line.live_before(rank)? + line.parked_before(rank)? + 1;
                let delay = self.wait_for(world, position, jitter);
                line.put(waiting(delay + PLACE_GRACE, Some(now + micros(delay))))?;
                Ok(Answer::Parked { position, delay, holder })
            }
        }
    }

    /// What it holds already, for another `ttl`.
    fn again(&mut self, world: &impl World, ask: &Ask) -> Option<Granted> {
        let (now, expiring, leases) = (world.now(), world.expiring(), self.leases.unwrap_or(ask.leases));
        let held = self.held(&ask.lease)?;
        held.ends = expiring.then(|| now + micros(ask.ttl));
        Some(Granted { fence: FencingToken::new(held.fence), ttl: lasting(expiring, ask.ttl), leases })
    }

    /// Its place in line, and since when it has it: its own, where it asks again; the one it left; or the next.
    fn rank<L: Line>(&mut self, line: &mut L, now: Micros, ask: &Ask) -> Result<(u64, Micros), L::Error> {
        if let Some(own) = line.get(&ask.lease)? {
            return Ok((own.rank, own.since));
        }
        if let Some(place) = &ask.place
            && line.get(place)?.is_some_and(|waiting| waiting.due.is_some())
            && let Some(left) = line.remove(place)?
        {
            return Ok((left.rank, left.since));
        }
        Ok((self.ranks + 1, now))
    }

    /// Whether a lease is free, and nobody is to be served before.
    fn may_take<L: Line>(&self, line: &mut L, now: Micros, ask: &Ask, rank: u64) -> Result<bool, L::Error> {
        let free = self.leases.unwrap_or(ask.leases).saturating_sub(self.used());
        if ask.weight > free {
            return Ok(false);
        }
        if !ask.fair {
            return Ok(true);
        }
        let before = line.first_live()?.is_some_and(|first| first.rank < rank);
        Ok(!before && self.kept_until(line, now, rank)?.is_none())
    }

    /// When to come back: the expected time until `position` is served, by what holds have lasted; later by as much as half the age of
    /// the oldest present one exceeds that. While the lock is kept back, all that begins when it no longer is; up to a tenth later, for
    /// the other locks are kept back as long.
    fn wait_for(&self, world: &impl World, position: u64, jitter: f64) -> Duration {
        let (now, jitter) = (world.now(), jitter.clamp(0.0, 1.0));
        let left = Duration::from_micros(self.kept_back(world).map_or(0, |until| until - now));
        let oldest = self.holders.iter().map(|held| held.since).min().map_or(0, |since| now.saturating_sub(since));
        let hold = self.mean_hold.unwrap_or(UNKNOWN_HOLD);
        let turns = u64::from(self.leases.unwrap_or(1).max(1));
        // One hold that lasts is waited for once, not by each position.
        let longer = (oldest / 2).saturating_sub(hold);
        let expected = u128::from(hold) * u128::from(position) / u128::from(turns) + u128::from(longer);
        let expected =
            Duration::from_micros(u64::try_from(expected).unwrap_or(u64::MAX).min(micros(*PLACE_DELAY.end())));
        let part = |time: Duration, part: f64| Duration::from_micros(micros(time.mul_f64(part)));
        part(left, 1.25 - jitter / 4.0) + part(expected, jitter).clamp(*PLACE_DELAY.start(), *PLACE_DELAY.end())
    }
}

/// How long a lease lasts.
pub(super) fn lasting(expiring: bool, ttl: Duration) -> Duration {
    if expiring { ttl } else { Duration::MAX }
}
