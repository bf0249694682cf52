//! What operations cost the server, counted by the server.

use std::collections::BTreeMap;

use deadpool_redis::redis::cmd;

use super::support::{Process, Raw, granted, options, private, renewal};
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
    store.release(&first.key, &first.lease).await.unwrap();

    let before = counts(&raw).await;
    for number in 1..=100 {
        let ask = process.ask("m", number, Queueing::Wait);
        granted(&store.acquire(&ask).await.unwrap());
        assert!(store.release(&ask.key, &ask.lease).await.unwrap());
    }
    let spent = difference(&before, &counts(&raw).await);
    assert_eq!(spent, expected(&[("evalsha", 200), ("get", 200), ("set", 200), ("time", 200)]));
}

#[tokio::test]
async fn a_hand_off_costs_a_release_and_a_confirmation_however_many_wait() {
    let server = private(&[]);
    let store = RedisStore::from_url(&server.url(), options()).unwrap();
    let (raw, mut process) = (Raw::to(&server.url()).await, Process::open(&store, "p"));
    let mut costs = Vec::new();
    for waiters in [10, 100, 500] {
        let name = format!("hot-{waiters}");
        let asks: Vec<_> = (0..waiters).map(|number| process.ask(&name, number, Queueing::Wait)).collect();
        for ask in &asks {
            store.acquire(ask).await.unwrap();
        }
        let before = counts(&raw).await;
        for hand in asks[..9].windows(2) {
            hand_over(&store, &mut process, &hand[0], &hand[1]).await;
        }
        costs.push(difference(&before, &counts(&raw).await));
    }
    assert_eq!(costs[0]["evalsha"], 16, "{costs:?}");
    assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:#?}");
}

async fn hand_over(store: &RedisStore, process: &mut Process, from: &Ask, to: &Ask) {
    assert!(store.release(&from.key, &from.lease).await.unwrap());
    assert_eq!(process.hint().await, Some(Hint::Granted { key: to.key.clone(), lease: to.lease.clone() }));
    assert!(matches!(process.hint().await, Some(Hint::Look { .. })), "the next one is told when to look");
    assert!(matches!(store.renew(&[renewal(to, None, false)]).await.unwrap()[..], [Renewed::Granted(_)]));
}

#[tokio::test]
async fn a_thousand_leases_are_renewed_by_ten_commands() {
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
    assert_eq!(spent, expected(&[("evalsha", 10), ("get", 1000), ("set", 1000), ("time", 10)]));
}
