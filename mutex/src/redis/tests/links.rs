//! Several runtimes of one process, each with a connection of its own.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    time::timeout,
};

use super::support::{Process, granted, options, released, shared_url};
use crate::{
    conformance::steps::BOUND,
    redis::RedisStore,
    store::{LeaseStore, Queueing},
};

/// A runtime that runs while somebody blocks on it, and not otherwise.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Blocks on a runtime in a thread of its own, until it is told or nobody can tell it.
fn run(runtime: Runtime) -> (oneshot::Sender<()>, std::thread::JoinHandle<Runtime>) {
    let (end, ended) = oneshot::channel();
    let thread = std::thread::spawn(move || {
        let _ = runtime.block_on(ended);
        runtime
    });
    (end, thread)
}

/// In a thread of its own, as a test blocks on a runtime of its own.
fn apart<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(act).join().unwrap())
}

#[tokio::test]
async fn a_runtime_that_stands_still_keeps_no_other_from_locking() {
    let store = RedisStore::from_url(&shared_url(), options()).unwrap();
    let (process, still) = (Process::open(&store, "p"), runtime());
    let held = process.ask("m", 1, Queueing::No);
    granted(&apart(|| still.block_on(store.acquire(&held))).unwrap());
    // Nobody runs what that runtime has.
    timeout(BOUND, async {
        assert!(released(&store, &held).await);
        granted(&store.acquire(&process.ask("m", 2, Queueing::No)).await.unwrap());
    })
    .await
    .unwrap();
    apart(|| drop(still));
}

#[tokio::test]
async fn a_release_does_not_overtake_the_question_that_its_asker_gave_up_on_another_runtime() {
    let store = Arc::new(RedisStore::from_url(&shared_url(), options()).unwrap());
    let (process, asker) = (Process::open(&store, "p"), runtime());
    let (warm, given_up) = (process.ask("warm", 1, Queueing::No), process.ask("m", 2, Queueing::No));
    apart(|| {
        asker.block_on(async {
            granted(&store.acquire(&warm).await.unwrap());
            // It is on its way to the connection, which nobody runs any more.
            assert!(store.acquire(&given_up).now_or_never().is_none());
        });
    });
    let release = tokio::spawn({
        let (store, given_up) = (store.clone(), given_up.clone());
        async move { released(&store, &given_up).await }
    });
    tokio::task::yield_now().await;
    let (end, thread) = run(asker);
    assert!(timeout(BOUND, release).await.unwrap().unwrap(), "it found what it was to release");
    assert_eq!(store.inspect(&given_up.key).await.unwrap().map_or(0, |state| state.used), 0);
    drop(end);
    let asker = thread.join().unwrap();
    apart(|| drop(asker));
}

#[tokio::test]
async fn what_was_asked_on_a_runtime_that_has_ended_is_released_elsewhere() {
    let store = RedisStore::from_url(&shared_url(), options()).unwrap();
    let process = Process::open(&store, "p");
    let (held, given_up) = (process.ask("m", 1, Queueing::No), process.ask("other", 2, Queueing::No));
    // Several: the id of one that has ended is given again.
    for _ in 0..3 {
        apart(|| {
            let runtime = runtime();
            runtime.block_on(async {
                granted(&store.acquire(&held).await.unwrap());
                assert!(store.acquire(&given_up).now_or_never().is_none());
            });
        });
        assert!(released(&store, &held).await);
        timeout(Duration::from_secs(1), released(&store, &given_up)).await.unwrap();
    }
}
