use std::time::{Duration, Instant};

use celeriac_mutex::{
    SqliteStore,
    conformance::steps::{soon, until_waiting},
    store::{Answer, LeaseStore},
};

use super::{
    child::Process,
    support::{Folder, ask, m},
};

async fn token(process: &mut Process) -> u64 {
    process.says().await.strip_prefix("holds ").unwrap().parse().unwrap()
}

/// The dead are looked for every 50 ms.
const SOON: Duration = Duration::from_millis(500);

#[tokio::test]
async fn the_lock_of_a_killed_holder_goes_to_who_waits_elsewhere_at_once() {
    let folder = Folder::new();
    let locks = folder.open();
    let mut longest = Duration::ZERO;
    for _ in 0..5 {
        let mut holder = Process::start("hold", &folder.url());
        let before = token(&mut holder).await;
        let mut waiter = Process::start("wait", &folder.url());
        assert_eq!(waiter.says().await, "waits");
        until_waiting(&locks, &m(), 1).await;
        holder.kill();
        let killed = Instant::now();
        assert!(token(&mut waiter).await > before);
        longest = longest.max(killed.elapsed());
        waiter.kill();
    }
    println!("the longest of five recoveries: {longest:?}");
    assert!(longest < SOON, "{longest:?}");
    // Whoever asks without waiting need not be told either.
    assert!(locks.mutex("m").try_lock().await.unwrap().is_some());
    assert_eq!(folder.signs(), 2, "the last one's sign of life is left to whoever waits or opens next");
}

#[tokio::test]
async fn a_stopped_holder_keeps_its_lease_and_goes_on() {
    let folder = Folder::new();
    let locks = folder.open();
    let mut holder = Process::start("hold", &folder.url());
    let before = token(&mut holder).await;
    holder.signal("STOP");
    assert!(locks.mutex("m").lock_timeout(Duration::from_secs(2)).await.unwrap().is_none());
    holder.signal("CONT");
    holder.tell("let go");
    assert_eq!(holder.says().await, "true None Ok(Ok)");
    let guard = soon(locks.mutex("m").lock()).await.unwrap();
    assert!(guard.fencing_token().get() > before);
}

#[tokio::test]
async fn a_waiter_that_was_killed_is_passed_over() {
    let folder = Folder::new();
    let locks = folder.open();
    let guard = locks.mutex("m").lock().await.unwrap();
    let mut dead = Process::start("wait", &folder.url());
    assert_eq!(dead.says().await, "waits");
    until_waiting(&locks, &m(), 1).await;
    let mut next = Process::start("wait", &folder.url());
    assert_eq!(next.says().await, "waits");
    until_waiting(&locks, &m(), 2).await;
    dead.kill();
    let released = Instant::now();
    guard.release().await.unwrap();
    token(&mut next).await;
    assert!(released.elapsed() < SOON, "{:?}", released.elapsed());
}

#[tokio::test]
async fn a_lease_passes_between_processes_without_waiting_for_a_renewal() {
    let folder = Folder::new();
    let locks = folder.open();
    let mut guard = locks.mutex("m").lock().await.unwrap();
    let mut longest = Duration::ZERO;
    for _ in 0..5 {
        let mut other = Process::start("wait", &folder.url());
        assert_eq!(other.says().await, "waits");
        until_waiting(&locks, &m(), 1).await;
        let released = Instant::now();
        guard.release().await.unwrap();
        token(&mut other).await;
        longest = longest.max(released.elapsed());
        other.kill();
        guard = soon(locks.mutex("m").lock()).await.unwrap();
    }
    assert!(longest < SOON, "{longest:?}");
}

#[tokio::test]
async fn what_a_process_holds_when_it_closes_goes_to_who_waits_elsewhere_at_once() {
    let folder = Folder::new();
    let (store, ask) = (SqliteStore::new(folder.file()), ask());
    assert!(matches!(store.acquire(&ask).await.unwrap(), Answer::Granted(_)));
    let mut waiter = Process::start("wait", &folder.url());
    assert_eq!(waiter.says().await, "waits");
    until_waiting(&folder.open(), &m(), 1).await;
    let closed = Instant::now();
    store.close(&ask.process).await;
    token(&mut waiter).await;
    assert!(closed.elapsed() < SOON, "{:?}", closed.elapsed());
}

#[tokio::test]
async fn what_a_killed_process_left_is_cleared_away_by_who_opens_next() {
    let folder = Folder::new();
    let mut holder = Process::start("hold", &folder.url());
    token(&mut holder).await;
    holder.kill();
    assert_eq!(folder.signs(), 1);
    let locks = folder.open();
    assert!(locks.mutex("other").try_lock().await.unwrap().is_some());
    assert!(locks.list(10).await.unwrap().iter().all(|lock| lock.key.name() != "m"));
    assert_eq!(folder.signs(), 1, "its own");
    locks.close().await;
    assert_eq!(folder.signs(), 0);
}

#[tokio::test]
async fn processes_that_are_killed_while_they_commit_leave_a_whole_file_and_no_lease() {
    let folder = Folder::new();
    for round in 0..12 {
        let mut processes = [Process::start("churn", &folder.url()), Process::start("churn", &folder.url())];
        for words in 0..=round {
            processes[words % 2].says().await;
        }
        for process in &mut processes {
            process.kill();
        }
    }
    let locks = folder.open();
    for key in 0..7 {
        let guard = locks.mutex("churn").key(key).try_lock().await.unwrap();
        assert!(guard.is_some(), "{key}: {:?}", locks.list(100).await);
    }
    for key in 0..2 {
        for _ in 0..3 {
            std::mem::forget(locks.semaphore("churn", 3).key(key).try_acquire().await.unwrap().expect("free"));
        }
    }
    let findings = locks.diagnose().await.unwrap();
    let worst = findings.iter().map(|finding| finding.severity).max();
    assert_eq!(worst, Some(celeriac_mutex::store::Severity::Ok), "{findings:?}");
}
