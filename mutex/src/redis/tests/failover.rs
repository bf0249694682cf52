//! Servers behind a sentinel, and one of them lost.

use std::time::{Duration, Instant};

use xtask::services::Redis;

use super::support::{BOUND, Process, Raw, granted, options, private, renewal};
use crate::{
    redis::RedisStore,
    store::{Answer, LeaseStore, Queueing, Renewed},
};

#[tokio::test]
async fn a_lease_that_a_replica_has_outlives_the_primary() {
    let mut primary = private(&[]);
    let port = primary.port().to_string();
    let _replica = private(&["--replicaof", "127.0.0.1", &port]);
    let sentinel = Redis::start_sentinel(&primary).unwrap_or_else(|error| panic!("{error}"));
    // A sentinel that knows of no replica cannot put one in the primary's place.
    let raw = Raw::to(&sentinel.url()).await;
    let end = Instant::now() + BOUND;
    loop {
        let known: String = raw.say("INFO sentinel").await;
        if known.contains("slaves=1") {
            break;
        }
        assert!(Instant::now() < end, "{known}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let url = format!("redis+sentinel://127.0.0.1:{}/primary", sentinel.port());
    let strict = options().wait_for_replicas(1, Duration::from_millis(500));
    let store = RedisStore::from_url(&url, strict).unwrap();
    let process = Process::open(&store, "p");
    let ask = process.ask("m", 1, Queueing::No);
    let fence = loop {
        match store.acquire(&ask).await {
            Ok(answer) => break granted(&answer).fence,
            Err(error) => assert!(error.is_transient() && Instant::now() < end, "{error}"),
        }
    };

    primary.kill();
    let renewed = loop {
        match store.renew(&[renewal(&ask, Some(fence), false)]).await {
            Ok(renewed) => break renewed,
            Err(error) => assert!(error.is_transient() && Instant::now() < end, "{error}"),
        }
    };
    assert!(matches!(renewed[..], [Renewed::Held { .. }]), "{renewed:?}");
    let another = process.ask("m", 2, Queueing::No);
    let store = RedisStore::from_url(&url, store.options.clone()).unwrap();
    let answer = loop {
        match store.acquire(&another).await {
            Ok(answer) => break answer,
            Err(error) => assert!(error.is_transient() && Instant::now() < end, "{error}"),
        }
    };
    assert!(matches!(answer, Answer::Busy { holder: Some(_), .. }), "{answer:?}");
}
