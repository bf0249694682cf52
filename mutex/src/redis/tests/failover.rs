//! Servers behind a sentinel, and one of them lost.

use std::time::Duration;

use xtask::services::Redis;

use super::{
    support::{Process, Raw, answered, granted, options, past_trouble, private, renewal},
    waiting::passes_over_the_dead,
};
use crate::{
    conformance::steps::eventually,
    redis::RedisStore,
    store::{Answer, LeaseStore, Queueing, Renewal, Renewed},
};

/// Renews until a server answers.
async fn renewed(store: &RedisStore, renewal: &Renewal) -> Renewed {
    eventually(|| async { past_trouble(store.renew(std::slice::from_ref(renewal)).await) }).await.remove(0)
}

#[tokio::test]
async fn a_lease_that_a_replica_has_outlives_the_primary() {
    let mut primary = private(&[]);
    let _replica = Redis::start_replica(&primary).unwrap();
    let sentinel = Redis::start_sentinel(&primary).unwrap_or_else(|error| panic!("{error}"));
    // A sentinel that knows of no replica cannot put one in the primary's place.
    let raw = Raw::to(&sentinel.url()).await;
    eventually(|| async { raw.say::<String>("INFO sentinel").await.contains("slaves=1").then_some(()) }).await;

    let url = format!("redis+sentinel://127.0.0.1:{}/primary", sentinel.port());
    let strict = options().wait_for_replicas(1, Duration::from_millis(500));
    let store = RedisStore::from_url(&url, strict).unwrap();
    let process = Process::open(&store, "p");
    let ask = process.ask("m", 1, Queueing::No);
    let fence = granted(&answered(&store, &ask).await).fence;

    primary.kill();
    let held = renewed(&store, &renewal(&ask, Some(fence), false)).await;
    assert!(matches!(held, Renewed::Held { .. }), "{held:?}");
    let another = process.ask("m", 2, Queueing::No);
    let store = RedisStore::from_url(&url, store.options.clone()).unwrap();
    let answer = answered(&store, &another).await;
    assert!(matches!(answer, Answer::Busy { holder: Some(_), .. }), "{answer:?}");
}

#[tokio::test]
async fn who_hears_nothing_any_more_is_passed_over_behind_a_sentinel_too() {
    let primary = private(&[]);
    let sentinel = Redis::start_sentinel(&primary).unwrap_or_else(|error| panic!("{error}"));
    passes_over_the_dead(&primary, &format!("redis+sentinel://127.0.0.1:{}/primary", sentinel.port())).await;
}
