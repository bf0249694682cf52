//! The exploration.

use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

use crate::{
    mutants::Mutant,
    world::{Bounds, NOTHING, World},
};

/// Worlds small enough to be explored to their end.
fn worlds() -> Vec<(&'static str, World)> {
    let time = Bounds { ticks: 3, ..NOTHING };
    let mutex = |attempts, bounds| World::new(1, [1, 1, 1], attempts, bounds);
    vec![
        ("mutex, time", mutex([2, 2, 2], Bounds { ticks: 5, nights: 1, ..NOTHING })),
        ("mutex, amnesia", mutex([2, 1, 1], Bounds { amnesias: 1, slow: 1, ..time })),
        ("mutex, crash", mutex([2, 1, 1], Bounds { crashes: 1, slow: 1, ..time })),
        ("mutex, lost 1", mutex([2, 1, 1], Bounds { slow: 1, lost: 1, ..time })),
        ("mutex, lost 2", mutex([1, 1, 1], Bounds { slow: 2, lost: 1, ..time })),
        ("mutex, lost 3", mutex([1, 1, 0], Bounds { slow: 2, lost: 1, amnesias: 1, ..time })),
        ("semaphore, by weight", World::new(2, [1, 2, 1], [2, 1, 2], Bounds { ticks: 4, nights: 1, ..NOTHING })),
        ("semaphore, by weight", World::new(2, [1, 2, 1], [1, 1, 1], Bounds { slow: 1, lost: 1, ..time })),
        ("semaphore, amnesia", World::new(2, [1, 2, 1], [1, 1, 2], Bounds { slow: 1, amnesias: 1, ..time })),
        ("passers-by", mutex([2, 1, 2], Bounds { slow: 1, lost: 1, ..time }).with_a_passer_by()),
    ]
}

fn explore(name: &str, world: &World) {
    let began = Instant::now();
    let checked = world.clone().checker().threads(2).timeout(std::time::Duration::from_secs(20)).spawn_bfs().join();
    println!(
        "{name}: {} states, {} transitions, depth {}, {:.1} s, {:?}",
        checked.unique_state_count(),
        checked.state_count(),
        checked.max_depth(),
        began.elapsed().as_secs_f32(),
        world.seen.lock().unwrap()
    );
    for (claim, path) in checked.discoveries() {
        if claim != "another holds it while one sleeps through its lease" {
            let steps: Vec<_> = path.into_vec().into_iter().map(|(state, action)| format!("{action:?} from {:?} line {:?} ghost {:?}", state.store.lock.holders.iter().map(|h| (h.lease.as_str().to_owned(), h.ends.map(|e| e as i64 - state.store.now as i64), h.fence)).collect::<Vec<_>>(), state.store.line.in_order().iter().map(|w| w.lease.as_str().to_owned()).collect::<Vec<_>>(), state.ghost)).collect();
            panic!("{claim}:\n{}", steps.join("\n"));
        }
    }
}

#[test]
fn everything_is_always_true() {
    for (name, world) in worlds() {
        explore(name, &world);
    }
}

#[test]
fn every_mutant_is_caught() {
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL {
        let began = Instant::now();
        let caught = worlds().into_iter().find_map(|(name, mut world)| {
            world.mutant = Some(mutant);
            let checked = world.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
            checked.discoveries().into_iter().next().map(|(claim, path)| (name, claim, path.into_actions().len()))
        });
        println!("{mutant:?}: {caught:?} {:.1} s", began.elapsed().as_secs_f32());
        if caught.is_none() {
            survivors.push(mutant);
        }
    }
    println!("mutation score: {}/{}", Mutant::ALL.len() - survivors.len(), Mutant::ALL.len());
    assert!(survivors.is_empty(), "not caught: {survivors:?}");
}
