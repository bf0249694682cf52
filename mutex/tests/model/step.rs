//! What can happen next.

use celeriac_mutex::rules::micros;
use stateright::{Model, Property};

use super::{
    claims,
    client::{Client, Phase, Reply, Request, What, Wire, validity},
    ghost,
    mutants::Mutant,
    store,
    world::{State, TICK, TTL, World, lease_of},
};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    /// A question is sent, answered and heard at one instant.
    Ask(usize, What),
    /// A question is sent.
    Send(usize, What),
    /// It arrives, and is answered.
    Arrive(usize),
    /// Its answer is heard.
    Hear(usize),
    /// Its sender waits no longer.
    Lose(usize),
    /// A request that nobody waits for any more arrives.
    ArriveLate(usize),
    Crash(usize),
    Forget,
    Tick,
    Night,
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![self.begin()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.broken.is_some() {
            return;
        }
        let left = state.left;
        for (at, client) in state.clients.iter().enumerate() {
            client.questions(state.store.now, self.attempts[at], |what| {
                actions.push(Action::Ask(at, what));
                if left.slow > 0 {
                    actions.push(Action::Send(at, what));
                }
            });
            match client.wire {
                Some(Wire::Request(_)) => actions.push(Action::Arrive(at)),
                Some(Wire::Reply(..)) if !client.dead => actions.push(Action::Hear(at)),
                _ => {}
            }
            if client.wire.is_some() && !client.dead && left.lost > 0 && client.late.is_none() {
                actions.push(Action::Lose(at));
            }
            if client.late.is_some() {
                actions.push(Action::ArriveLate(at));
            }
            if left.crashes > 0 && !client.dead && client.phase != Phase::Idle {
                actions.push(Action::Crash(at));
            }
        }
        if left.amnesias > 0 {
            actions.push(Action::Forget);
        }
        if left.ticks > 0 {
            actions.push(Action::Tick);
        }
        if left.nights > 0 {
            actions.push(Action::Night);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Ask(at, what) => {
                let request = self.send(&mut state, at, what);
                let reply = self.arrive(&mut state, at, request);
                self.hear(&mut state, at, request, reply);
            }
            Action::Send(at, what) => {
                state.left.slow -= 1;
                let request = self.send(&mut state, at, what);
                state.clients[at].wire = Some(Wire::Request(request));
            }
            Action::Arrive(at) => {
                let Some(Wire::Request(request)) = state.clients[at].wire.take() else { return None };
                let reply = self.arrive(&mut state, at, request);
                if !state.clients[at].dead {
                    state.clients[at].wire = Some(Wire::Reply(request, reply));
                }
            }
            Action::Hear(at) => {
                let Some(Wire::Reply(request, reply)) = state.clients[at].wire.take() else { return None };
                self.hear(&mut state, at, request, reply);
            }
            Action::Lose(at) => {
                state.left.lost -= 1;
                match state.clients[at].wire.take() {
                    Some(Wire::Request(request)) => state.clients[at].late = Some(request),
                    _ => self.saw("a reply was lost"),
                }
            }
            Action::ArriveLate(at) => {
                self.saw("a request arrived when nobody waited for it");
                let request = state.clients[at].late.take()?;
                self.arrive(&mut state, at, request);
            }
            Action::Crash(at) => {
                state.left.crashes -= 1;
                for at in (0..3).filter(|other| self.at_home(at, *other)) {
                    self.crash(&mut state.clients[at]);
                }
            }
            Action::Forget => self.forget(&mut state),
            Action::Tick => {
                state.left.ticks -= 1;
                self.pass(&mut state, TICK);
            }
            Action::Night => {
                state.left.nights -= 1;
                self.pass(&mut state, micros(celeriac_mutex::store::WAITER_TTL));
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        claims::all(self)
    }
}

impl World {
    fn send(&self, state: &mut State, at: usize, what: What) -> Request {
        let (now, client) = (state.store.now, &mut state.clients[at]);
        let lease = lease_of(at, client.attempt);
        state.ghost.untold.retain(|untold| *untold != lease);
        if client.hint && client.renewed == now {
            self.saw("a hint was followed");
        }
        client.send(what, now)
    }

    fn arrive(&self, state: &mut State, at: usize, request: Request) -> Reply {
        let before = state.store.clone();
        if before.holds(&self.ask(at, request.attempt).lease).is_some() && request.what == What::Acquire {
            self.saw("a question was repeated, and granted once");
        }
        let reply = store::step(self, state, at, request);
        ghost::check(self, &before, state, at, request, reply);
        if self.is(Mutant::StartsOnTheHint) {
            self.start_on_hints(state);
        }
        reply
    }

    fn hear(&self, state: &mut State, at: usize, request: Request, reply: Reply) {
        let now = state.store.now;
        let from = if self.is(Mutant::CountsFromTheReply) { now } else { request.sent };
        let lasts = if self.is(Mutant::NeverDoubts) { 1000 * TICK } else { validity() };
        if matches!(request.what, What::Renew { fence: None, .. }) && matches!(reply, Reply::Granted { .. }) {
            self.saw("a hand-off was confirmed");
        }
        if reply == Reply::Lost {
            self.saw("a lease or a place was lost");
        }
        state.clients[at].receive(request, reply, from, lasts);
        for handed in reply.handed().filter(|handed| self.at_home(at, handed.client)) {
            if !self.is(Mutant::IgnoresWhatIsHanded) {
                state.clients[handed.client].is_handed(handed, from + lasts);
            }
        }
        if matches!(reply, Reply::Released { found: false, .. }) && !self.is(Mutant::ForgetsToLook) {
            for other in (0..3).filter(|other| self.at_home(at, *other)) {
                if let Phase::Waiting { .. } = state.clients[other].phase {
                    self.saw("a release found nothing, and others looked");
                    state.clients[other].hint = true;
                }
            }
        }
    }

    fn crash(&self, client: &mut Client) {
        self.saw(match client.phase {
            Phase::Holding { .. } => "a holder died",
            Phase::Waiting { .. } => "a waiter died",
            _ => "another died",
        });
        client.dead = true;
        client.phase = Phase::Idle;
        client.hint = false;
        if let Some(Wire::Reply(..)) = client.wire {
            client.wire = None;
        }
    }

    /// A client that takes a hint for a lease.
    fn start_on_hints(&self, state: &mut State) {
        let now = state.store.now;
        for (at, client) in state.clients.iter_mut().enumerate() {
            if let (Phase::Waiting { asked: true }, None) = (client.phase, client.wire)
                && let Some(held) = state.store.holds(&self.ask(at, client.attempt).lease)
            {
                client.phase = Phase::Holding { fence: held.fence, lost_at: now + validity() };
            }
        }
    }

    fn pass(&self, state: &mut State, time: u64) {
        let before = state.store.now;
        state.store.now += time;
        let now = state.store.now;
        for client in &state.clients {
            if client.believes(before) && !client.believes(now) {
                self.saw("a holder's time was over by its own clock");
            }
        }
        if state.store.lock.holders.iter().any(|held| held.ends.is_some_and(|ends| before < ends && ends <= now)) {
            self.saw("a lease ended");
        }
    }

    /// The store is started anew, and remembers nothing. Connections break: what was on them does not arrive.
    fn forget(&self, state: &mut State) {
        self.saw("the store lost its memory");
        if !state.store.line.is_empty() {
            self.saw("the store forgot one who waits");
        }
        state.left.amnesias -= 1;
        let now = state.store.now + TICK;
        state.store = store::Store { grace_until: Some(now + micros(TTL)), ..store::Store::new(now) };
        state.ghost.line.clear();
        state.ghost.promised.clear();
        state.ghost.untold.clear();
        state.ghost.forgot_at = Some(now);
        for client in &mut state.clients {
            (client.wire, client.late, client.hint) = (None, None, false);
        }
    }
}
