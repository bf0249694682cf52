use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use celeriac_mutex::{
    SqliteStore,
    conformance::steps::until_waiting,
    store::{Answer, Ask, LeaseId, LeaseStore, ProcessId, Queueing, Renewal, Renewed},
};
use tokio::{runtime::Handle, sync::mpsc};

use super::{
    child::Process,
    support::{Folder, ask, m},
};

#[tokio::test]
async fn two_processes_take_two_thousand_turns_and_never_overlap() {
    let folder = Folder::new();
    std::fs::write(folder.file().with_extension("register"), "free 0").unwrap();
    let mut processes = [(); 2].map(|()| Process::start("take turns", &folder.url()));
    for process in &mut processes {
        assert_eq!(process.says().await, "ready");
    }
    let begun = Instant::now();
    for process in &mut processes {
        process.tell("go");
    }
    for process in &mut processes {
        assert_eq!(process.says().await, "done");
    }
    println!("2,000 turns in {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_process_that_waits_or_holds_uses_next_to_nothing() {
    let folder = Folder::new();
    let locks = folder.open();
    let mut holder = Process::start("hold", &folder.url());
    holder.says().await;
    let mut waiter = Process::start("wait", &folder.url());
    waiter.says().await;
    until_waiting(&locks, &m(), 1).await;
    let before = [holder.ticks(), waiter.ticks()];
    assert!(locks.mutex("m").lock_timeout(Duration::from_secs(4)).await.unwrap().is_none());
    let used = [holder.ticks() - before[0], waiter.ticks() - before[1]];
    // A tick is a hundredth of a second: four seconds have 400.
    println!("of 400 ticks, {} were used holding, {} waiting", used[0], used[1]);
    assert!(used.iter().all(|used| *used <= 8), "{used:?}");
}

#[tokio::test]
async fn ten_thousand_waiters_are_served_in_order() {
    const COUNT: u64 = 10_000;
    let folder = Folder::new();
    let store = Arc::new(SqliteStore::new(folder.file()));
    let process = ProcessId::random();
    let (hints, _heard) = mpsc::channel(16);
    store.open(&process, &Handle::current(), hints);
    let ask = |number| Ask {
        lease: LeaseId::numbered(&process, number),
        process: process.clone(),
        queueing: Queueing::Wait,
        ..ask()
    };
    let asks: Vec<Arc<Ask>> = (0..=COUNT).map(|number| Arc::new(ask(number))).collect();
    assert!(matches!(store.acquire(&asks[0]).await.unwrap(), Answer::Granted(_)));
    for asked in asks[1..].chunks(500) {
        let answers = futures_util::future::join_all(asked.iter().map(|ask| store.acquire(ask))).await;
        for (ask, answer) in asked.iter().zip(answers) {
            let Answer::Queued { position, .. } = answer.unwrap() else { panic!("{ask:?} does not wait") };
            assert_eq!(ask.lease, LeaseId::numbered(&process, position));
        }
    }
    let renewal = |ask: &Arc<Ask>| Renewal { ask: ask.clone(), fence: None, reassert: false };
    let all: Vec<Renewal> = asks[1..].iter().map(renewal).collect();
    let begun = Instant::now();
    let renewed = store.renew(&all).await.unwrap();
    println!("{COUNT} places renewed in {:?}", begun.elapsed());
    assert!(matches!(renewed[9_999], Renewed::Waiting { position: COUNT, .. }));
    let begun = Instant::now();
    for number in 0..100 {
        let (from, to) = (&asks[number], &asks[number + 1]);
        let release = store.release(&from.key, &from.lease, &process).await.unwrap();
        assert!(matches!(&release.handed[..], [handed] if handed.lease == to.lease), "{number}: {release:?}");
    }
    println!("a hand-over among {COUNT}: {:?}", begun.elapsed() / 100);
    store.close(&process).await;
}
