//! What a second process of these tests does.

#[path = "../../../tests/support/twin.rs"]
mod twin;

use std::{fs, path::Path};

use celeriac_mutex::{Locks, MutexGuard};

pub(crate) use self::twin::Process;
use self::twin::say;

/// The parent's next word; the runtime goes on meanwhile.
async fn told() -> String {
    tokio::task::spawn_blocking(|| std::io::stdin().lines().next().unwrap().unwrap()).await.unwrap()
}

/// Does nothing where nobody has started it as a child.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn plays_its_role() {
    let Some((role, url)) = twin::role() else { return };
    let locks = Locks::from_url(&url).unwrap();
    match role.as_str() {
        "hold" => hold(&locks).await,
        "wait" => wait(&locks).await,
        "take turns" => take_turns(&locks, Path::new(url.trim_start_matches("sqlite://"))).await,
        "churn" => churn(&locks).await,
        "fill" => fill(&locks).await,
        role => panic!("no role {role}"),
    }
    locks.close().await;
}

/// Holds a mutex until it is told to let go.
async fn hold(locks: &Locks) {
    let guard = locks.mutex("m").lock().await.unwrap();
    say(&format!("holds {}", guard.fencing_token()));
    told().await;
    let (valid, lost) = (guard.ensure_valid().is_ok(), guard.lost_reason());
    say(&format!("{valid} {lost:?} {:?}", guard.release().await));
    told().await;
}

/// Waits for a mutex that others hold.
async fn wait(locks: &Locks) {
    say("waits");
    let guard = locks.mutex("m").lock().await.unwrap();
    say(&format!("holds {}", guard.fencing_token()));
    told().await;
}

/// Takes a mutex a thousand times, and writes its token into a register that takes each only after a lower one.
async fn take_turns(locks: &Locks, file: &Path) {
    let (register, mutex) = (file.with_extension("register"), locks.mutex("m"));
    say("ready");
    told().await;
    for _ in 0..1000 {
        let guard: MutexGuard = mutex.lock().await.unwrap();
        let token = guard.fencing_token().get();
        let found = fs::read_to_string(&register).unwrap();
        let (state, last) = found.split_once(' ').unwrap();
        assert_eq!(state, "free", "two at once");
        assert!(last.parse::<u64>().unwrap() < token, "{last} before {token}");
        fs::write(&register, format!("taken {token}")).unwrap();
        assert_eq!(fs::read_to_string(&register).unwrap(), format!("taken {token}"), "two at once");
        fs::write(&register, format!("free {token}")).unwrap();
        guard.release().await.unwrap();
    }
    say("done");
}

/// Takes and gives back whatever there is, until it is killed.
async fn churn(locks: &Locks) {
    let one = async |worker: usize| {
        for round in 0.. {
            let key = (worker + round) % 7;
            let guard = locks.mutex("churn").key(key).lock().await.unwrap();
            let permit = locks.semaphore("churn", 3).key(key % 2).acquire().await.unwrap();
            if round % 20 == 0 {
                say("churns");
            }
            drop(permit);
            drop(guard);
        }
    };
    futures_util::future::join_all((0..8).map(one)).await;
}

/// Takes new locks until that fails, and tells how.
async fn fill(locks: &Locks) {
    let mut held = Vec::new();
    let error = loop {
        match locks.mutex("m").key(("x".repeat(500), held.len())).try_lock().await {
            Ok(guard) => held.push(guard.expect("nobody else holds it")),
            Err(error) => break error,
        }
    };
    say(&format!("{} {} {error}", held.len(), error.is_transient()));
    told().await;
}
