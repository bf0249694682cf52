//! What operations cost the server, counted by the server.

use std::collections::BTreeMap;

use deadpool_redis::redis::cmd;

use super::support::{Process, Raw, granted, options, private, released, renewal};
use crate::{
    redis::RedisStore,
    store::{Ask, Hint, LeaseStore, Queueing, Renewal, Renewed},
};

/// How often each command has been called, by clients and by scripts, but for `INFO`.
async fn counts(raw: &Raw) -> BTreeMap<String, u64> {
    let stats: String = raw.run(cmd("INFO").arg("commandstats")).await;
    let counted = stats.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split_once(":calls="));
    let number = |rest: &str| rest.split(',').next().unwrap().parse().unwrap();
    counted.map(|(name, rest)| (name.to_owned(), number(rest))).filter(|(name, _)| name != "info").collect()
}

fn difference(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let since = |(name, count): (&String, &u64)| (name.clone(), count - before.get(name).copied().unwrap_or(0));
    after.iter().map(since).filter(|(_, count)| *count != 0).collect()
}

fn expected(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[tokio::test]
async fn an_uncontended_lock_costs_one_command_to_take_and_one_to_give_back() {
    let server = private(&[]);
    let store = RedisStore::from_url(&server.url(), options()).unwrap();
    let (raw, process) = (Raw::to(&server.url()).await, Process::open(&store, "p"));
    // The handshake, and what is only there once.
    let first = process.ask("m", 0, Queueing::Wait);
    granted(&store.acquire(&first).await.unwrap());
    released(&store, &first).await;

    let before = counts(&raw).await;
    for number in 1..=100 {
        let ask = process.ask("m", number, Queueing::Wait);
        granted(&store.acquire(&ask).await.unwrap());
        assert!(released(&store, &ask).await);
    }
    let spent = difference(&before, &counts(&raw).await);
    assert_eq!(spent, expected(&[("evalsha", 200), ("get", 200), ("set", 200), ("time", 200)]));
}

/// What eight hand-offs cost, while more or fewer wait, in so many processes by turns.
async fn hand_offs(processes: &[&str]) -> Vec<BTreeMap<String, u64>> {
    let server = private(&[]);
    let store = RedisStore::from_url(&server.url(), options()).unwrap();
    let raw = Raw::to(&server.url()).await;
    let mut processes: Vec<_> = processes.iter().map(|id| Process::open(&store, id)).collect();
    let mut costs = Vec::new();
    for waiters in [10, 100, 500] {
        let (name, mut asks) = (format!("hot-{waiters}"), Vec::new());
        for (number, turn) in (0..waiters).zip((0..processes.len()).cycle()) {
            let ask = processes[turn].ask(&name, number, Queueing::Wait);
            store.acquire(&ask).await.unwrap();
            asks.push(ask);
        }
        let before = counts(&raw).await;
        for hand in asks[..10].windows(3).take(8) {
            hand_over(&store, &mut processes, hand).await;
        }
        costs.push(difference(&before, &counts(&raw).await));
    }
    costs
}

/// From the first to the second, while the third is next.
async fn hand_over(store: &RedisStore, processes: &mut [Process], hand: &[Ask]) {
    let [from, to, next] = hand else { panic!("three of them") };
    let release = store.release(&from.key, &from.lease, &from.process).await.unwrap();
    let told = release.look.map(|(lease, _)| lease);
    if from.process == to.process {
        assert!(matches!(&*release.handed, [handed] if handed.lease == to.lease), "{:?}", release.handed);
        assert_eq!(told.as_ref(), Some(&next.lease));
        return;
    }
    let lease = to.lease.clone();
    assert_eq!(hint(processes, to).await, Some(Hint::Granted { key: to.key.clone(), lease }));
    if next.process == from.process {
        assert_eq!(told.as_ref(), Some(&next.lease));
    } else {
        assert!(matches!(hint(processes, next).await, Some(Hint::Look { .. })), "the next one is told when to look");
    }
    assert!(matches!(store.renew(&[renewal(to, None, false)]).await.unwrap()[..], [Renewed::Granted(_)]));
}

/// What the process of one who waits hears next.
async fn hint(processes: &mut [Process], ask: &Ask) -> Option<Hint> {
    processes.iter_mut().find(|process| process.id == ask.process).unwrap().hint().await
}

#[tokio::test]
async fn a_hand_off_within_a_process_costs_a_release_however_many_wait() {
    let costs = hand_offs(&["p"]).await;
    assert_eq!((costs[0]["evalsha"], costs[0].get("publish")), (8, None), "{costs:?}");
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:#?}");
}

#[tokio::test]
async fn a_hand_off_to_another_process_costs_a_release_and_a_confirmation_however_many_wait() {
    for (processes, hints) in [(&["p", "q"][..], 8), (&["p", "q", "r"], 16)] {
        let costs = hand_offs(processes).await;
        assert_eq!((costs[0]["evalsha"], costs[0]["publish"]), (16, hints), "{costs:?}");
        assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:#?}");
    }
}

#[tokio::test]
async fn a_thousand_leases_are_renewed_by_eight_commands() {
    let server = private(&[]);
    let store = RedisStore::from_url(&server.url(), options()).unwrap();
    let (raw, process) = (Raw::to(&server.url()).await, Process::open(&store, "p"));
    let mut batch: Vec<Renewal> = Vec::new();
    for number in 0..1000 {
        let ask = process.ask(&format!("m{number}"), number, Queueing::No);
        let fence = granted(&store.acquire(&ask).await.unwrap()).fence;
        batch.push(renewal(&ask, Some(fence), true));
    }
    let before = counts(&raw).await;
    let renewed = store.renew(&batch).await.unwrap();
    assert!(renewed.iter().all(|renewed| matches!(renewed, Renewed::Held { revoked: false, .. })));
    let spent = difference(&before, &counts(&raw).await);
    assert_eq!(spent, expected(&[("evalsha", 8), ("get", 1000), ("set", 1000), ("time", 8)]));
}
