//! Which states are the same: those that differ in the names of clients, in the size of tokens and ranks but not in their order, or
//! in instants that are over or cannot come, go on in the same way.
//!
//! The checker knows states by their hash alone, so this is where most of the work is saved.

use std::hash::{DefaultHasher, Hash, Hasher};

use celeriac_mutex::{
    rules::{Micros, micros},
    store::{LeaseId, WAITER_TTL},
};

use super::{
    client::{Client, Phase, Reply, Request, What, Wire, validity},
    world::{State, TICK, TTL, client_of},
};

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let canon = Canon::of(self);
        let lock = &self.store.lock;
        (self.left, self.broken, lock.leases, canon.rank(lock.fence), canon.rank(self.ghost.fence)).hash(hasher);
        (canon.ahead(self.store.grace_until), canon.ahead(lock.reassert_until)).hash(hasher);
        self.ghost.forgot_at.map(|at| (self.store.now - at).min(micros(TTL))).hash(hasher);
        let mut clients = [0, 1, 2].map(|at| canon.client(at));
        clients.sort_unstable();
        clients.hash(hasher);
    }
}

struct Canon<'a> {
    state: &'a State,
    /// Every token that anybody knows, in order.
    fences: Vec<u64>,
    /// The time that may still pass.
    remaining: Micros,
}

impl<'a> Canon<'a> {
    fn of(state: &'a State) -> Self {
        let mut fences = vec![state.store.lock.fence, state.ghost.fence];
        fences.extend(state.store.lock.holders.iter().map(|held| held.fence));
        for client in &state.clients {
            if let Phase::Holding { fence, .. } = client.phase {
                fences.push(fence);
            }
            let on_the_wire = match client.wire {
                Some(Wire::Request(request)) => [fence_of(request), None],
                Some(Wire::Reply(request, Reply::Granted { fence })) => [fence_of(request), Some(fence)],
                Some(Wire::Reply(_, reply)) => {
                    fences.extend(reply.handed().map(|handed| handed.fence));
                    [None, None]
                }
                _ => [None, None],
            };
            fences.extend(on_the_wire.into_iter().flatten().chain(client.late.and_then(fence_of)));
        }
        fences.sort_unstable();
        fences.dedup();
        let left = state.left;
        let steps = u64::from(left.ticks) + u64::from(left.amnesias);
        Self { state, fences, remaining: steps * TICK + u64::from(left.nights) * micros(WAITER_TTL) }
    }

    fn rank(&self, fence: u64) -> usize {
        self.fences.partition_point(|known| *known < fence)
    }

    /// How far ahead an instant is: nothing where it is over, and the same for all that cannot come.
    fn left(&self, instant: Micros) -> Micros {
        instant.saturating_sub(self.state.store.now).min(self.remaining + 1)
    }

    fn ahead(&self, instant: Option<Micros>) -> Option<Micros> {
        instant.map(|instant| self.left(instant))
    }

    /// Everything about one client, but its name.
    fn client(&self, at: usize) -> u64 {
        let hasher = &mut DefaultHasher::new();
        let State { store, clients, ghost, .. } = self.state;
        let Client { like, attempt, phase, wire, late, hint, renewed, dead } = &clients[at];
        (like, attempt, hint, *renewed < store.now, dead).hash(hasher);
        match *phase {
            Phase::Holding { fence, lost_at } => (self.rank(fence), self.left(lost_at)).hash(hasher),
            Phase::Waiting { asked } => asked.hash(hasher),
            Phase::Idle => 2.hash(hasher),
            Phase::Leaving => 3.hash(hasher),
        }
        match *wire {
            None => {}
            Some(Wire::Request(request)) => self.request(request, true, hasher),
            Some(Wire::Reply(request, reply)) => {
                self.request(request, true, hasher);
                match reply {
                    Reply::Granted { fence } => self.rank(fence).hash(hasher),
                    // To whom, its token tells.
                    Reply::Released { found, .. } => {
                        found.hash(hasher);
                        reply.handed().for_each(|handed| (handed.attempt, self.rank(handed.fence)).hash(hasher));
                    }
                    other => other.hash(hasher),
                }
            }
        }
        // Nobody counts from when that was sent.
        8.hash(hasher);
        if let Some(late) = late {
            self.request(*late, false, hasher);
        }
        let own = |lease: &LeaseId| client_of(lease) == at;
        for (place, held) in store.lock.holders.iter().enumerate().filter(|(_, held)| own(&held.lease)) {
            (place, name(&held.lease), self.ahead(held.ends), self.rank(held.fence)).hash(hasher);
        }
        9.hash(hasher);
        for (place, waiting) in store.line.in_order().into_iter().enumerate().filter(|(_, waiting)| own(&waiting.lease))
        {
            (place, name(&waiting.lease), self.left(waiting.until)).hash(hasher);
        }
        10.hash(hasher);
        for (place, (lease, until)) in ghost.line.iter().enumerate().filter(|(_, (lease, _))| own(lease)) {
            (place, name(lease), self.left(*until)).hash(hasher);
        }
        11.hash(hasher);
        for (lease, until) in ghost.promised.iter().filter(|(lease, _)| own(lease)) {
            (name(lease), self.left(*until)).hash(hasher);
        }
        12.hash(hasher);
        for lease in ghost.untold.iter().filter(|lease| own(lease)) {
            name(lease).hash(hasher);
        }
        13.hash(hasher);
        for reply in clients.iter().filter_map(|client| match client.wire {
            Some(Wire::Reply(_, reply)) => Some(reply),
            _ => None,
        }) {
            for handed in reply.handed().filter(|handed| handed.client == at) {
                (handed.attempt, self.rank(handed.fence)).hash(hasher);
            }
        }
        hasher.finish()
    }

    fn request(&self, request: Request, awaited: bool, hasher: &mut DefaultHasher) {
        (std::mem::discriminant(&request.what), request.attempt).hash(hasher);
        fence_of(request).map(|fence| self.rank(fence)).hash(hasher);
        if awaited {
            self.left(request.sent + validity()).hash(hasher);
        }
    }
}

fn fence_of(request: Request) -> Option<u64> {
    match request.what {
        What::Renew { fence, .. } => fence,
        What::Acquire | What::Release => None,
    }
}

/// The lease's own part of its id.
fn name(lease: &LeaseId) -> &str {
    &lease.as_str()[1..]
}
