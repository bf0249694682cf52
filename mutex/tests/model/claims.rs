//! What is always true, and what happens at all.

use celeriac_mutex::rules::micros;
use stateright::Property;

use super::{
    client::Phase,
    world::{State, TTL, World, attempt_of, client_of},
};

/// What the store owes.
pub(crate) const OWED: [&str; 6] = [
    "tokens rise",
    "nobody who waits is bypassed",
    "nothing is handed to the dead",
    "the head of the line waits for none whose time is over",
    "no lease lies idle while one waits",
    "the store gives out no more than it has",
];

/// What a store and its clients owe together.
pub(crate) const BELIEF: &str = "those who believe to hold it fit into it";

/// What the clients of a process owe each other.
pub(crate) const TOLD: &str = "whoever is handed a lease by an answer learns of it";

/// What a lease is for, and what no lease can prevent.
pub(crate) const SLEPT: &str = "another holds it while one sleeps through its lease";

macro_rules! owed {
    ($($index:literal)*) => {
        vec![$(Property::always(OWED[$index], |_, state: &State| state.broken != Some(OWED[$index]))),*]
    };
}

pub(crate) fn all(world: &World) -> Vec<Property<World>> {
    let mut claims = owed!(0 1 2 3 4 5);
    claims.push(Property::always(BELIEF, believers_fit));
    claims.push(Property::always(TOLD, nobody_stays_untold));
    if world.mutant.is_none() {
        claims.push(Property::sometimes(SLEPT, |_, state: &State| {
            let now = state.store.now;
            let asleep = state
                .clients
                .iter()
                .any(|client| matches!(client.phase, Phase::Holding { lost_at, .. } if lost_at <= now));
            asleep && state.clients.iter().any(|client| client.believes(now))
        }));
    }
    claims
}

/// It has been told to look, or the one whose release has handed it over has not had the answer, and will ask again.
fn nobody_stays_untold(world: &World, state: &State) -> bool {
    state.ghost.untold.iter().all(|lease| {
        let at = client_of(lease);
        let client = &state.clients[at];
        let waits =
            !client.dead && client.attempt == attempt_of(lease) && matches!(client.phase, Phase::Waiting { .. });
        let mut neighbours = (0..3).filter(|other| world.at_home(at, *other)).map(|other| &state.clients[other]);
        !waits || client.hint || neighbours.any(|neighbour| neighbour.phase == Phase::Leaving)
    })
}

fn believers_fit(world: &World, state: &State) -> bool {
    let now = state.store.now;
    // A semaphore has no pause after its store has lost its memory: for one ttl its old holders may work beside new ones.
    let excused = world.capacity > 1 && state.ghost.forgot_at.is_some_and(|at| now < at + micros(TTL));
    let believed = (0..3).filter(|at| state.clients[*at].believes(now)).map(|at| world.weights[at]).sum::<u32>();
    excused || believed <= world.capacity
}
