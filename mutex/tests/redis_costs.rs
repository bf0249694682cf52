//! What a hand-off costs a Redis server: the same, however many wait.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use celeriac_mutex::{
    Locks, RedisOptions, RedisStore,
    conformance::steps::{eventually, within},
};
use tokio::{sync::mpsc, task::JoinSet};
use xtask::services::Redis;

/// A server's own count of the commands that it was sent; what scripts call counts as their part.
fn scripts_run(redis: &Redis) -> u64 {
    let address = redis.url().trim_start_matches("redis://").trim_end_matches("/0").to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"INFO commandstats\r\nQUIT\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let calls = |line: &str| line.split("calls=").nth(1)?.split(',').next()?.parse::<u64>().ok();
    text.lines().filter(|line| line.starts_with("cmdstat_eval")).filter_map(calls).sum()
}

/// Leases that outlast the test: what is renewed meanwhile is no part of a hand-off.
fn locks(redis: &Redis) -> Locks {
    let ttl = Duration::from_secs(600);
    let options = RedisOptions::default().restart_grace(false).max_ttl(ttl);
    let store = Arc::new(RedisStore::from_url(&redis.url(), options).unwrap());
    Locks::builder().store(store).ttl(ttl).max_ttl(ttl).build().unwrap()
}

/// Waits until so many stand in the line of the only lock; they are too many to be looked at one by one.
async fn until_in_line(locks: &Locks, count: usize) {
    eventually(|| async {
        let waiting = locks.list(10).await.unwrap().iter().map(|lock| lock.waiting).sum::<u64>();
        (waiting == count as u64).then_some(())
    })
    .await;
}

/// Has a lock handed on, in stretches of so many hand-offs, while `waiting` wait for it in so many processes by turns, and returns what the
/// cheapest stretch cost: in the others those who wait have renewed their places, as they do every few seconds.
async fn cost(redis: &Redis, processes: usize, waiting: usize, stretches: usize, hand_offs: usize) -> u64 {
    let processes: Vec<_> = (0..processes).map(|_| locks(redis)).collect();
    let mutexes: Vec<_> = processes.iter().map(|locks| locks.mutex("handed").key((processes.len(), waiting))).collect();
    let first = mutexes[0].lock().await.unwrap();
    let (served, mut fences) = mpsc::unbounded_channel();
    let go_on = Arc::new(tokio::sync::Semaphore::new(0));
    let mut waiters = JoinSet::new();
    for number in 1..=waiting {
        let (mutex, served, go_on) = (mutexes[number % mutexes.len()].clone(), served.clone(), go_on.clone());
        waiters.spawn(async move {
            let guard = mutex.lock().await.unwrap();
            served.send(guard.fencing_token().get()).unwrap();
            go_on.acquire().await.unwrap().forget();
            guard.release().await.unwrap();
        });
        // By turns, where that matters.
        if mutexes.len() > 1 {
            until_in_line(&processes[0], number).await;
        }
    }
    until_in_line(&processes[0], waiting).await;
    let (mut costs, mut first, mut last) = (Vec::new(), Some(first), 0);
    for _ in 0..stretches {
        let before = scripts_run(redis);
        for _ in 0..hand_offs {
            match first.take() {
                Some(first) => drop(first.release().await.unwrap()),
                None => go_on.add_permits(1),
            }
            let next = fences.recv().await.unwrap();
            assert!(next > last, "tokens rise");
            last = next;
        }
        costs.push(scripts_run(redis) - before);
    }
    println!("{waiting} wait in {}: {costs:?} scripts for {hand_offs} hand-offs each", processes.len());
    waiters.shutdown().await;
    for locks in processes {
        locks.close().await;
    }
    costs.into_iter().min().unwrap()
}

#[tokio::test]
async fn a_hand_off_in_redis_costs_the_same_however_many_wait() {
    let redis = Redis::start().unwrap();
    for (waiting, stretches, hand_offs) in [(1, 1, 1), (10, 1, 10), (100, 5, 20), (1000, 20, 20)] {
        let cost = async |processes| cost(&redis, processes, waiting, stretches, hand_offs).await;
        // To the last command: one release within a process, and to another's a renewal too, by which the winner confirms.
        assert_eq!(cost(1).await, hand_offs as u64, "{waiting} wait");
        assert_eq!(cost(2).await, 2 * hand_offs as u64, "{waiting} wait in two processes");
    }
}

#[tokio::test]
async fn ten_thousand_who_wait_for_one_lock_of_redis_are_served_in_their_order() {
    const WAITING: usize = 10_000;
    const HAND_OFFS: usize = 1000;
    let redis = Redis::start().unwrap();
    let locks = locks(&redis);
    let mutex = locks.mutex("crowd");
    let first = mutex.lock().await.unwrap();
    let (served, mut order) = mpsc::unbounded_channel();
    let mut waiters = JoinSet::new();
    // In batches: the order of those who ask at once is nobody's.
    for batch in 0..WAITING / 500 {
        for _ in 0..500 {
            let (mutex, served) = (mutex.clone(), served.clone());
            waiters.spawn(async move {
                let guard = mutex.lock().await.unwrap();
                served.send((batch, guard.fencing_token().get())).unwrap();
                guard.release().await.unwrap();
            });
        }
        until_in_line(&locks, (batch + 1) * 500).await;
    }
    first.release().await.unwrap();
    let (mut last, began) = ((0, 0), Instant::now());
    for _ in 0..HAND_OFFS {
        let next = within(Duration::from_secs(60), order.recv()).await.unwrap();
        assert!(next.0 >= last.0 && next.1 > last.1, "{next:?} after {last:?}");
        last = next;
    }
    println!("{HAND_OFFS} hand-offs in {:?}", began.elapsed());
    waiters.shutdown().await;
}
