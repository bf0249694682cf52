//! Several runtimes of one process, each with a connection of its own.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    sync::watch,
    time::timeout,
};

use super::support::{Process, granted, options, private, released, shared_url};
use crate::{
    conformance::steps::BOUND,
    redis::RedisStore,
    store::{Ask, LeaseStore, Queueing},
};

/// A runtime that runs while somebody blocks on it, and not otherwise.
fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
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

/// A network on which the newest connection can be held up.
struct Network {
    port: u16,
    newest: Arc<Mutex<watch::Sender<bool>>>,
    /// How many requests are held up.
    held_up: watch::Receiver<u32>,
}

impl Network {
    async fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let newest = Arc::new(Mutex::new(watch::Sender::new(true)));
        let (count, held_up) = watch::channel(0);
        let (gates, count) = (newest.clone(), Arc::new(count));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                let gate = watch::Sender::new(true);
                let (open, count) = (gate.subscribe(), count.clone());
                *gates.lock().unwrap() = gate;
                tokio::spawn(carry(client, server, open, count));
            }
        });
        Self { port, newest, held_up }
    }

    fn let_through(&self, whether: bool) {
        self.newest.lock().unwrap().send_replace(whether);
    }
}

async fn carry(
    client: TcpStream,
    server: TcpStream,
    mut open: watch::Receiver<bool>,
    held_up: Arc<watch::Sender<u32>>,
) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut buffer = [0; 4096];
    while let Ok(length) = from_client.read(&mut buffer).await
        && length > 0
    {
        if !*open.borrow() {
            held_up.send_modify(|count| *count += 1);
        }
        // Whoever could open it has gone with the test.
        let _ = open.wait_for(|open| *open).await;
        to_server.write_all(&buffer[..length]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_release_does_not_overtake_the_question_that_its_asker_gave_up_on_another_runtime() {
    let server = private(&[]);
    let mut network = Network::to(server.port()).await;
    let url = format!("redis://127.0.0.1:{}", network.port);
    let store = Arc::new(RedisStore::from_url(&url, options().response_timeout(BOUND)).unwrap());
    let mut process = Process::open(&store, "p");
    store.acquire(&process.ask("m", 0, Queueing::Wait)).await.unwrap();
    assert_eq!(process.heard(), None);
    let asker = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let ask = |ask: Ask| {
        let store = store.clone();
        asker.spawn(async move { store.acquire(&ask).await })
    };
    granted(&ask(process.ask("warm", 1, Queueing::No)).await.unwrap().unwrap());

    network.let_through(false);
    let given_up = process.ask("other", 2, Queueing::No);
    let asking = ask(given_up.clone());
    network.held_up.wait_for(|count| *count == 1).await.unwrap();
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    let released = released(&store, &given_up);
    let open = async {
        // Whatever went another way would be there by now.
        store.inspect(&given_up.key).await.unwrap();
        network.let_through(true);
    };
    assert!(tokio::join!(released, open).0, "it found what it was to release");
    assert_eq!(store.inspect(&given_up.key).await.unwrap().map_or(0, |state| state.used), 0);
    asker.shutdown_background();
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
