//! The exploration.

use std::{collections::BTreeSet, time::Instant};

use stateright::{Checker, HasDiscoveries, Model};

use super::{
    claims,
    mutants::Mutant,
    world::{Bounds, NOTHING, World},
};

/// Small enough to be explored to their end.
fn worlds() -> Vec<(&'static str, World)> {
    let time = Bounds { ticks: 3, ..NOTHING };
    let mutex = |attempts, bounds| World::new(1, [1, 1, 1], attempts, bounds);
    let neighbours = |attempts, bounds| World::of_processes([0, 0, 1], 1, [1, 1, 1], attempts, bounds);
    let semaphore = |attempts, bounds| World::new(2, [1, 2, 1], attempts, bounds);
    vec![
        ("mutex", mutex([2, 2, 2], Bounds { nights: 1, ..time })),
        ("mutex, one dies", mutex([1, 1, 1], Bounds { crashes: 1, slow: 1, ..time })),
        ("mutex, messages are lost", mutex([2, 1, 1], Bounds { ticks: 2, slow: 1, lost: 1, ..NOTHING })),
        ("mutex, messages are slow", mutex([1, 1, 0], Bounds { slow: 3, lost: 1, ..time })),
        ("mutex, the store forgets", mutex([1, 1, 1], Bounds { amnesias: 1, slow: 1, ..time })),
        ("mutex, one does not wait", mutex([1, 1, 2], Bounds { slow: 1, lost: 1, ..time }).with_a_passer_by()),
        ("mutex, two of one process", neighbours([2, 2, 2], time)),
        (
            "mutex, two of one process, messages are lost",
            neighbours([2, 1, 1], Bounds { ticks: 2, slow: 1, lost: 1, ..NOTHING }),
        ),
        ("mutex, two of one process, it dies", neighbours([1, 1, 1], Bounds { slow: 1, crashes: 1, ..time })),
        (
            "semaphore, all of one process",
            World::of_processes([0; 3], 2, [1, 2, 1], [1, 1, 1], Bounds { slow: 1, lost: 1, ..time }),
        ),
        ("semaphore", semaphore([2, 1, 2], Bounds { nights: 1, ..time })),
        ("semaphore, one dies", semaphore([1, 1, 1], Bounds { slow: 1, crashes: 1, ..time })),
        ("semaphore, messages are lost", semaphore([1, 1, 1], Bounds { slow: 1, lost: 1, ..time })),
        ("semaphore, the store forgets", semaphore([1, 1, 2], Bounds { amnesias: 1, ..time })),
    ]
}

/// Where a mutant is looked for.
fn haunt(mutant: Mutant) -> &'static str {
    match mutant {
        Mutant::GrantsARepeatedQuestionAgain => "mutex, messages are lost",
        Mutant::HandsToTheDead => "mutex, one dies",
        Mutant::AnswersForOthers | Mutant::AnswersWithProbation => "mutex, two of one process",
        Mutant::IgnoresWhatIsHanded | Mutant::ForgetsToLook => "mutex, two of one process, messages are lost",
        Mutant::SkipsTheGrace | Mutant::ForgetsItsTokens => "mutex, the store forgets",
        Mutant::RenewsWhatHasEnded | Mutant::TakesAHoldersWordPastOthers | Mutant::CountsFromTheReply => {
            "mutex, messages are slow"
        }
        Mutant::IgnoresTheLine | Mutant::LightPastHeavy | Mutant::CountsHoldersNotWeights => "semaphore",
        _ => "mutex",
    }
}

/// What must have been reached for the claims to mean something: each fault, and each way in which a lease is passed on.
const REACHED: [&str; 19] = [
    "a free lease was taken",
    "a hand-off was confirmed",
    "a hint was followed",
    "a holder died",
    "a waiter died",
    "a holder's time was over by its own clock",
    "a lease ended",
    "a lease or a place was lost",
    "a lease was claimed again",
    "a question was repeated, and granted once",
    "a release found nothing, and others looked",
    "a release handed on",
    "a release handed on by its answer",
    "a reply was lost",
    "a request arrived when nobody waited for it",
    "another's question handed on",
    "the head of the line took what had ended",
    "the store forgot one who waits",
    "the store lost its memory",
];

#[test]
fn no_order_of_events_breaks_a_claim() {
    let (began, mut seen, mut states) = (Instant::now(), BTreeSet::new(), 0);
    for (name, world) in worlds() {
        let start = Instant::now();
        let checked = world.clone().checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        let (found, transitions, depth) = (checked.unique_state_count(), checked.state_count(), checked.max_depth());
        println!("{name}: {found} states, {transitions} steps, depth {depth}, {:.1} s", start.elapsed().as_secs_f32());
        assert!(checked.is_done(), "{name} was not explored to its end");
        for (claim, path) in checked.discoveries() {
            assert_eq!(claim, claims::SLEPT, "{name} breaks it by {:#?}", path.into_actions());
        }
        assert!(checked.discovery(claims::SLEPT).is_some(), "{name}: nobody ever slept through its lease");
        states += found;
        seen.extend(world.seen.lock().unwrap().iter().copied());
    }
    println!("{states} states in {:.1} s", began.elapsed().as_secs_f32());
    let missed: Vec<_> = REACHED.iter().filter(|what| !seen.contains(*what)).collect();
    assert!(missed.is_empty(), "never reached: {missed:?}");
}

#[test]
fn every_mutant_of_the_rules_and_of_their_clients_is_caught() {
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL {
        let began = Instant::now();
        let (name, mut world) = worlds().into_iter().find(|(name, _)| *name == haunt(mutant)).unwrap();
        world.mutant = Some(mutant);
        let checked = world.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        let caught = checked.discoveries().into_iter().next().map(|(claim, path)| (claim, path.into_actions().len()));
        let seconds = began.elapsed().as_secs_f32();
        match caught {
            Some((claim, steps)) => {
                println!("{mutant:?}: not true that {claim}, after {steps} steps ({name}, {seconds:.1} s)");
            }
            None => survivors.push(mutant),
        }
    }
    println!("mutation score: {} of {}", Mutant::ALL.len() - survivors.len(), Mutant::ALL.len());
    assert!(survivors.is_empty(), "not caught: {survivors:?}");
}
