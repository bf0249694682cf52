use std::time::Duration;

use super::{Line, Lock, Micros, News, Waiting, World, acquire::lasting, micros};
use crate::{
    FencingToken,
    store::{Granted, Handed, MAX_BYPASS, PROBATION, ProcessId, Release, WAITER_TTL},
};

/// How many one operation hands leases to; what is left over is served by the next one.
pub(crate) const AT_ONCE: usize = 64;

/// How long past its time the lock is kept for a place that was passed over too often.
pub(crate) const LATENESS: Duration = Duration::from_secs(1);

impl Lock {
    /// Hands what is free to those who wait, in order, and tells them.
    pub(super) fn pump<L: Line>(&mut self, line: &mut L, world: &mut impl World) -> Result<(), L::Error> {
        self.hand_on(line, world, None).map(drop)
    }

    /// The same; but what waiters of `here` are handed, a process that waits for the answer to its release, is for that answer to tell. It is
    /// there: its waiters have nothing to confirm.
    pub(super) fn hand_on<L: Line>(
        &mut self,
        line: &mut L,
        world: &mut impl World,
        here: Option<&ProcessId>,
    ) -> Result<Release, L::Error> {
        let mut release = Release::default();
        let Some(leases) = self.leases else { return Ok(release) };
        let (now, expiring) = (world.now(), world.expiring());
        if self.kept_back(world).is_some() {
            return Ok(release);
        }
        let mut granted = false;
        for _ in 0..AT_ONCE {
            let Some(head) = line.first_live()? else { return Ok(release) };
            if head.until <= now || world.is_dead(&head.process) {
                line.remove(&head.lease)?;
                continue;
            }
            if head.weight > leases {
                // There are fewer leases than when it came. It asks again, and is told so; those behind it do not wait for ever.
                line.remove(&head.lease)?;
                world.tell(&head.process, News::Look(head.lease, Duration::ZERO));
                continue;
            }
            // Strict: those behind a heavy one wait with it, or it would wait for ever.
            if head.weight > leases.saturating_sub(self.used()) || self.kept_until(line, now, head.rank)?.is_some() {
                break;
            }
            line.remove(&head.lease)?;
            if here == Some(&head.process) {
                self.pass_over(line, head.rank)?;
                let fence = FencingToken::new(self.grant(world, (&head).into(), head.ttl));
                let granted = Granted { fence, ttl: lasting(expiring, head.ttl), leases };
                release.handed.push(Handed { lease: head.lease, granted });
            } else if world.tell(&head.process, News::Granted(head.lease.clone())) {
                self.pass_over(line, head.rank)?;
                self.grant(world, (&head).into(), head.ttl.min(PROBATION));
            } else {
                continue;
            }
            granted = true;
        }
        if granted && let Some(head) = line.first_live()? {
            let after = self.look_in(line, world)?;
            if here == Some(&head.process) {
                release.look = Some((head.lease, after));
            } else {
                world.tell(&head.process, News::Look(head.lease, after));
            }
        }
        Ok(release)
    }

    /// When the head of the line should ask again, should nobody tell it: when a lease ends, or the lock is no longer kept for another.
    pub(super) fn look_in<L: Line>(&self, line: &mut L, world: &impl World) -> Result<Duration, L::Error> {
        let now = world.now();
        if let Some(until) = self.kept_back(world) {
            return Ok(Duration::from_micros(until - now));
        }
        let end = self.first_end(now);
        let kept = match line.first_live()? {
            Some(head) => self.kept_until(line, now, head.rank)?.map(|until| Duration::from_micros(until - now)),
            None => None,
        };
        Ok(end.into_iter().chain(kept).min().unwrap_or(WAITER_TTL))
    }

    /// Until when the lock is kept for a parked place before `rank` that was passed over too often; `None` where it is not.
    pub(super) fn kept_until<L: Line>(&self, line: &mut L, now: Micros, rank: u64) -> Result<Option<Micros>, L::Error> {
        if self.passers.len() < MAX_BYPASS {
            return Ok(None);
        }
        let passed = |first: &Waiting| self.passers.iter().filter(|passer| **passer > first.rank).count() >= MAX_BYPASS;
        let first = line.first_parked()?.filter(|first| first.rank < rank && passed(first));
        let until = first.and_then(|first| first.due).map(|due| due + micros(LATENESS));
        Ok(until.filter(|until| *until > now))
    }

    /// Remembers that a lease goes to `rank`, where that is past the first of those who are away. Whoever has a higher rank than one of them
    /// came after it: so those that passed one passed those behind it too, up to their own ranks. No more are kept than need to be known.
    pub(super) fn pass_over<L: Line>(&mut self, line: &mut L, rank: u64) -> Result<(), L::Error> {
        let first = line.first_parked()?.map_or(u64::MAX, |first| first.rank);
        self.passers.retain(|passer| *passer > first);
        if rank > first {
            self.passers.push(rank);
        }
        if self.passers.len() > MAX_BYPASS
            && let Some((at, _)) = self.passers.iter().enumerate().min_by_key(|(_, passer)| **passer)
        {
            self.passers.remove(at);
        }
        Ok(())
    }
}
