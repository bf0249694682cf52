use super::{
    Line, Lock, Micros, Waiting, World,
    acquire::{STALE, lasting},
    micros,
};
use crate::{
    FencingToken,
    store::{Ask, Granted, LeaseId, ProcessId, Release, Renewal, Renewed, WAITER_TTL},
};

impl Lock {
    /// Renews a lease or a place in line.
    pub fn renew<L: Line>(
        &mut self,
        line: &mut L,
        world: &mut impl World,
        renewal: &Renewal,
    ) -> Result<Renewed, L::Error> {
        let (now, expiring, ask) = (world.now(), world.expiring(), &*renewal.ask);
        let ends = expiring.then(|| now + micros(ask.ttl));
        // A lease that has ended, but that nobody wanted since, goes on as if it had not.
        let unwanted = renewal.fence.is_some_and(|fence| fence.get() == self.fence) && line.first_live()?.is_none();
        if let Some(held) = self.held(&ask.lease)
            && (unwanted || held.ends.is_none_or(|ends| ends > now))
        {
            held.ends = ends;
            let (fence, revoked) = (FencingToken::new(held.fence), held.revoked);
            let ttl = lasting(expiring, ask.ttl);
            return Ok(match renewal.fence {
                Some(_) => Renewed::Held { ttl, revoked },
                None => Renewed::Granted(Granted { fence, ttl, leases: self.leases.unwrap_or(ask.leases) }),
            });
        }
        self.reap(world);
        line.remove_stale(now, STALE)?;
        match renewal.fence {
            Some(fence) if renewal.reassert && self.forgot(now, fence) => Ok(self.reassert(world, ask, fence)),
            Some(_) => {
                self.pump(line, world)?;
                Ok(Renewed::Lost)
            }
            None => {
                if let Some(waiting) = line.get(&ask.lease)? {
                    return self.wait_on(line, world, ask, waiting);
                }
                // What was handed to it may just have ended, and others wait.
                self.pump(line, world)?;
                Ok(Renewed::Lost)
            }
        }
    }

    fn wait_on<L: Line>(
        &mut self,
        line: &mut L,
        world: &mut impl World,
        ask: &Ask,
        waiting: Waiting,
    ) -> Result<Renewed, L::Error> {
        let (now, expiring, rank) = (world.now(), world.expiring(), waiting.rank);
        line.put(Waiting { until: now + micros(WAITER_TTL), ..waiting })?;
        self.pump(line, world)?;
        let leases = self.leases.unwrap_or(ask.leases);
        if let Some(held) = self.held(&ask.lease) {
            // Its process is here: no probation.
            held.ends = expiring.then(|| now + micros(ask.ttl));
            return Ok(Renewed::Granted(Granted {
                fence: FencingToken::new(held.fence),
                ttl: lasting(expiring, ask.ttl),
                leases,
            }));
        }
        Ok(Renewed::Waiting { position: line.live_before(rank)? + 1, look_in: self.look_in(line, world)? })
    }

    /// Whether the store has lost its memory of the grant of that token: it knows of none as late, or was told so by another holder's word.
    fn forgot(&self, now: Micros, fence: FencingToken) -> bool {
        self.fence < fence.get() || self.reassert_until.is_some_and(|until| until > now)
    }

    /// Takes a holder's word for its lease.
    fn reassert(&mut self, world: &impl World, ask: &Ask, fence: FencingToken) -> Renewed {
        let now = world.now();
        let leases = *self.leases.get_or_insert(ask.leases);
        if leases == 1 {
            // Whoever had it before has let go of it since.
            self.holders.retain(|held| held.fence > fence.get());
        }
        if self.used() + ask.weight > leases {
            return Renewed::Lost;
        }
        self.reassert_until = self.reassert_until.filter(|until| *until > now).or(Some(now + micros(ask.ttl)));
        // Nobody else can have it: it is not kept back any more.
        let known = self.kept_back(world).map_or(0, |_| world.remembers_until() + 1);
        let last = self.fence.max(fence.get()).max(known);
        self.grant(world, ask.into(), ask.ttl);
        self.fence = last;
        if let Some(held) = self.holders.last_mut() {
            held.fence = fence.get();
        }
        Renewed::Held { ttl: lasting(world.expiring(), ask.ttl), revoked: false }
    }

    /// Gives a lease back, or leaves the line. The answer is for `here` to hear; `None` where nobody waits for it.
    pub fn release<L: Line>(
        &mut self,
        line: &mut L,
        world: &mut impl World,
        lease: &LeaseId,
        here: Option<&ProcessId>,
    ) -> Result<Release, L::Error> {
        let now = world.now();
        let found = if let Some(at) = self.holders.iter().position(|held| held.lease == *lease) {
            let held = self.holders.remove(at);
            self.learn(now.saturating_sub(held.since));
            held.ends.is_none_or(|ends| ends > now)
        } else if line.remove(lease)?.is_some() {
            true
        } else {
            return Ok(Release::default());
        };
        self.reap(world);
        Ok(Release { found, ..self.hand_on(line, world, here)? })
    }

    /// An exponentially weighted mean: each hold counts a fifth.
    fn learn(&mut self, hold: Micros) {
        self.mean_hold = Some(self.mean_hold.map_or(hold, |mean| (mean * 4 + hold) / 5));
    }
}
