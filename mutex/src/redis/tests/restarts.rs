//! A server that is killed and comes back, with and without its memory.

use std::time::{Duration, Instant};

use super::support::{Process, Raw, answered, granted, options, private, released, renewal};
use crate::{
    conformance::steps::{BOUND, eventually},
    redis::RedisStore,
    store::{Answer, Hint, LeaseStore, Queueing, Renewed},
};

const MAX_TTL: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_server_that_forgot_gives_a_mutex_to_nobody_new_until_its_holder_has_claimed_it_again() {
    let mut server = private(&[]);
    let options = options().max_ttl(MAX_TTL);
    let holder_store = RedisStore::from_url(&server.url(), options.clone()).unwrap();
    let store = RedisStore::from_url(&server.url(), options.clone().restart_grace(true)).unwrap();
    let (mut holder, other) = (Process::open(&holder_store, "holder"), Process::open(&store, "other"));
    let (held, orphan) = (holder.ask("held", 1, Queueing::No), holder.ask("orphan", 2, Queueing::No));
    let fence = granted(&holder_store.acquire(&held).await.unwrap()).fence;
    let orphan_fence = granted(&holder_store.acquire(&orphan).await.unwrap()).fence;

    server.kill();
    server.start_again().unwrap();
    let began = Instant::now();
    assert_eq!(holder.hint().await, Some(Hint::Resync));

    // Nobody knows whether the holders live.
    for (number, name) in ["held", "orphan"].into_iter().enumerate() {
        let answer = answered(&store, &other.ask(name, number as u64, Queueing::No)).await;
        assert!(matches!(answer, Answer::Busy { holder: None, retry_in, .. } if retry_in > MAX_TTL / 2), "{answer:?}");
    }
    assert!(matches!(
        store.acquire(&other.ask("orphan", 7, Queueing::Wait)).await.unwrap(),
        Answer::Queued { position: 1, .. }
    ));
    // One of them says so.
    let renewed = holder_store.renew(&[renewal(&held, Some(fence), true)]).await.unwrap();
    assert!(matches!(renewed[..], [Renewed::Held { .. }]), "{renewed:?}");
    let answer = store.acquire(&other.ask("held", 3, Queueing::No)).await.unwrap();
    assert!(matches!(&answer, Answer::Busy { holder: Some(owner), .. } if *owner == held.owner), "{answer:?}");

    // The other does not, and is not waited for longer than it can live.
    let waiter = other.ask("orphan", 7, Queueing::Wait);
    let waiting = renewal(&waiter, None, false);
    let after = eventually(|| async {
        match store.renew(std::slice::from_ref(&waiting)).await.unwrap()[..] {
            [Renewed::Granted(granted)] => Some(granted),
            [Renewed::Waiting { position: 1, .. }] => None,
            ref other => panic!("{other:?}"),
        }
    })
    .await;
    assert!(after.fence > orphan_fence, "tokens rise over a loss of memory");
    // The server says its age in whole seconds.
    let lasted = began.elapsed();
    assert!(lasted + Duration::from_secs(1) > MAX_TTL && lasted < MAX_TTL + BOUND / 3, "{lasted:?}");
    let answer = store.acquire(&other.ask("held", 8, Queueing::No)).await.unwrap();
    assert!(matches!(answer, Answer::Busy { .. }), "{answer:?}");
}

#[tokio::test]
async fn a_server_with_an_append_only_file_forgets_nothing_and_keeps_nothing_back() {
    let mut server = private(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = RedisStore::from_url(&server.url(), options().max_ttl(MAX_TTL).restart_grace(true)).unwrap();
    let process = Process::open(&store, "p");
    let held = process.ask("held", 1, Queueing::No);
    let before = granted(&store.acquire(&held).await.unwrap());
    let waiter = process.ask("held", 2, Queueing::Wait);
    assert!(matches!(store.acquire(&waiter).await.unwrap(), Answer::Queued { .. }));

    server.kill();
    server.start_again().unwrap();

    granted(&answered(&store, &process.ask("new", 3, Queueing::No)).await);
    let answer = store.acquire(&process.ask("held", 4, Queueing::No)).await.unwrap();
    assert!(matches!(answer, Answer::Busy { holder: Some(_), waiting: 1, .. }), "{answer:?}");
    assert_eq!(granted(&store.acquire(&held).await.unwrap()).fence, before.fence);
    let renewed =
        store.renew(&[renewal(&held, Some(before.fence), true), renewal(&waiter, None, false)]).await.unwrap();
    assert!(matches!(renewed[..], [Renewed::Held { .. }, Renewed::Waiting { position: 1, .. }]), "{renewed:?}");
}

#[tokio::test]
async fn a_holder_whose_lease_another_has_got_meanwhile_does_not_get_it_back() {
    let mut server = private(&[]);
    let store = RedisStore::from_url(&server.url(), options()).unwrap();
    let process = Process::open(&store, "p");
    let held = process.ask("m", 1, Queueing::No);
    let fence = granted(&store.acquire(&held).await.unwrap()).fence;
    server.kill();
    server.start_again().unwrap();
    // Without the grace, which is what the grace is for.
    granted(&answered(&store, &process.ask("m", 2, Queueing::No)).await);
    let renewed = store.renew(&[renewal(&held, Some(fence), true)]).await.unwrap();
    assert!(matches!(renewed[..], [Renewed::Lost]), "{renewed:?}");
}

/// A server that has a snapshot remembers locks as they were when it was taken, which is worse than nothing.
#[tokio::test]
async fn a_server_that_comes_back_with_a_snapshot_knows_nothing_of_what_it_gave_out_since() {
    let mut server = private(&["--save", "3600", "1"]);
    let options = options().max_ttl(MAX_TTL);
    let holder_store = RedisStore::from_url(&server.url(), options.clone()).unwrap();
    let store = RedisStore::from_url(&server.url(), options.restart_grace(true)).unwrap();
    let (mut holder, other) = (Process::open(&holder_store, "holder"), Process::open(&store, "other"));
    let past = [holder.ask("freed", 1, Queueing::No), holder.ask("held", 2, Queueing::No)];
    for ask in &past {
        granted(&holder_store.acquire(ask).await.unwrap());
    }
    assert!(released(&holder_store, &past[0]).await);
    let () = Raw::to(&server.url()).await.say("SAVE").await;
    // In the snapshot one of them is free, and the other is held by the one before.
    assert!(released(&holder_store, &past[1]).await);
    let now = [holder.ask("freed", 3, Queueing::No), holder.ask("held", 4, Queueing::No)];
    let mut fences = Vec::new();
    for ask in &now {
        fences.push(granted(&holder_store.acquire(ask).await.unwrap()).fence);
    }

    server.kill();
    server.start_again().unwrap();
    assert_eq!(holder.hint().await, Some(Hint::Resync));

    let answer = answered(&store, &other.ask("freed", 5, Queueing::No)).await;
    assert!(matches!(answer, Answer::Busy { holder: None, retry_in, .. } if retry_in > MAX_TTL / 2), "{answer:?}");
    for (ask, fence) in now.iter().zip(fences) {
        let renewed = store.renew(&[renewal(ask, Some(fence), true)]).await.unwrap();
        assert!(matches!(renewed[..], [Renewed::Held { .. }]), "{}: {renewed:?}", ask.key);
    }
    // Now it is known who holds them: whoever comes next has them when they are let go.
    for (number, ask) in now.iter().enumerate() {
        let next = other.ask(["freed", "held"][number], 6 + number as u64, Queueing::No);
        let answer = store.acquire(&next).await.unwrap();
        assert!(matches!(&answer, Answer::Busy { holder: Some(owner), .. } if *owner == ask.owner), "{answer:?}");
        assert!(released(&holder_store, ask).await);
        granted(&store.acquire(&next).await.unwrap());
    }
}
