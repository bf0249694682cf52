//! What the store owes to whom, counted beside it: the specification.

use celeriac_mutex::{
    rules::{Micros, micros},
    store::{LeaseId, PROBATION, WAITER_TTL},
};

use super::{
    client::{Reply, Request, What},
    store::Store,
    world::{State, TTL, World, client_of},
};

/// What came to pass, in a form that does not depend on how the store keeps it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ghost {
    /// Those who stand in line, in the order in which they came, and until when.
    pub(crate) line: Vec<(LeaseId, Micros)>,
    /// Until when each holder may hold, by the promises made to it.
    pub(crate) promised: Vec<(LeaseId, Micros)>,
    /// What a release has handed to others of its process, until they ask, for the answer may be lost.
    pub(crate) untold: Vec<LeaseId>,
    /// The highest token ever given out.
    pub(crate) fence: u64,
    /// When the store last lost its memory.
    pub(crate) forgot_at: Option<Micros>,
}

impl Ghost {
    fn promise(&mut self, lease: &LeaseId, until: Micros) {
        self.promised.retain(|(known, _)| known != lease);
        self.promised.push((lease.clone(), until));
        self.promised.sort();
    }

    fn leaves(&mut self, lease: &LeaseId) {
        self.line.retain(|(known, _)| known != lease);
    }

    fn stands(&mut self, lease: &LeaseId, until: Micros) {
        match self.line.iter_mut().find(|(known, _)| known == lease) {
            Some(known) => known.1 = until,
            None => self.line.push((lease.clone(), until)),
        }
    }
}

/// Checks one step of the store, from `before`.
pub(crate) fn check(world: &World, before: &Store, state: &mut State, client: usize, request: Request, reply: Reply) {
    let ask = world.ask(client, request.attempt);
    let (now, lease) = (state.store.now, &ask.lease);
    let State { store, clients, ghost, .. } = state;
    let mut broken = None;
    let weight = |lease: &LeaseId| world.weights[client_of(lease)];
    let dead = |lease: &LeaseId| clients[client_of(lease)].dead;
    ghost.line.retain(|(_, until)| *until > now);
    ghost.promised.retain(|(lease, _)| store.holds(lease).is_some());
    ghost.untold.retain(|lease| store.holds(lease).is_some());

    let of_nothing = before.holds(lease).is_none() && ghost.line.iter().all(|(known, _)| known != lease);
    if request.what == What::Release {
        ghost.leaves(lease);
    }
    let reasserted = matches!(request.what, What::Renew { fence: Some(_), .. }) && reply == Reply::Held;
    for held in store.lock.holders.iter().filter(|held| before.holds(&held.lease).is_none()) {
        if reasserted && held.lease == *lease {
            world.saw("a lease was claimed again");
            continue;
        }
        if held.fence <= ghost.fence {
            broken = Some("tokens rise");
        }
        ghost.fence = held.fence;
        let by_itself = held.lease == *lease && matches!(reply, Reply::Granted { .. });
        let to = client_of(&held.lease);
        let in_answer = world.at_home(client, to) && reply.handed().any(|handed| handed.client == to);
        if in_answer {
            ghost.untold.push(held.lease.clone());
        }
        // A process that dies while its release is on its way may be handed another lease by it: as if it had died with that one.
        let last = in_answer && dead(&held.lease);
        let first = ghost.line.iter().find(|(lease, _)| !dead(lease));
        if !last && first.is_some_and(|(first, _)| *first != held.lease) {
            broken = Some("nobody who waits is bypassed");
        }
        ghost.leaves(&held.lease);
        world.saw(match (by_itself, request.what) {
            (true, What::Acquire) => "a free lease was taken",
            (true, _) => "the head of the line took what had ended",
            (false, What::Release) if in_answer => "a release handed on by its answer",
            (false, What::Release) => "a release handed on",
            (false, _) => "another's question handed on",
        });
        if !by_itself && !last && dead(&held.lease) {
            broken = Some("nothing is handed to the dead");
        }
        ghost.promise(&held.lease, now + if by_itself || in_answer { micros(TTL) } else { micros(PROBATION) });
    }
    match reply {
        Reply::Queued { .. } => ghost.stands(lease, now + micros(WAITER_TTL)),
        Reply::Held | Reply::Granted { .. } => ghost.promise(lease, now + micros(TTL)),
        Reply::Busy | Reply::Lost | Reply::Released { .. } => ghost.leaves(lease),
    }
    let grace = store.grace_until.is_some_and(|until| until > now) && world.capacity == 1;
    // That it is dead is noticed when it would be served; until then it may keep those behind it, but not beyond its time.
    let fits = |lease: &LeaseId| store.lock.used() + weight(lease) <= world.capacity;
    ghost.line.retain(|(lease, _)| !dead(lease) || !fits(lease));
    if let Some((head, _)) = ghost.line.first().filter(|(head, _)| !grace && !dead(head)) {
        let promised =
            ghost.promised.iter().filter(|(_, until)| *until > now).map(|(lease, _)| weight(lease)).sum::<u32>();
        if head == lease && matches!(reply, Reply::Queued { .. }) && promised + weight(head) <= world.capacity {
            broken = Some("the head of the line waits for none whose time is over");
        }
        let changes_nothing = match request.what {
            What::Acquire => false,
            What::Renew { fence, .. } => fence.is_some(),
            What::Release => of_nothing,
        };
        if !changes_nothing && fits(head) {
            broken = Some("no lease lies idle while one waits");
        }
    }
    if store.lock.used() > world.capacity {
        broken = Some("the store gives out no more than it has");
    }
    state.broken = state.broken.or(broken);
}
