//! Servers that cannot be used, now or at all.

use std::time::{Duration, Instant};

use deadpool_redis::redis::cmd;

use super::support::{Process, Raw, answered, granted, options, private};
use crate::{
    Error,
    conformance::steps::eventually,
    redis::RedisStore,
    store::{LeaseStore, Queueing, Severity},
};

async fn fails(store: &RedisStore) -> Error {
    let process = Process::open(store, "p");
    store.acquire(&process.ask("m", 1, Queueing::No)).await.unwrap_err()
}

#[tokio::test]
async fn a_server_that_would_drop_locks_is_refused_until_it_is_mended() {
    let server = private(&["--maxmemory-policy", "allkeys-lru"]);
    let store = RedisStore::from_url(&server.url(), options()).unwrap();
    let error = fails(&store).await;
    assert!(matches!(error, Error::Refused { .. }), "{error}");
    assert!(error.to_string().contains("CONFIG SET maxmemory-policy noeviction"), "{error}");

    let raw = Raw::to(&server.url()).await;
    let _: String = raw.say("CONFIG SET maxmemory-policy noeviction").await;
    let process = Process::open(&store, "p");
    // It looks again whether it may be used.
    let ask = process.ask("m", 1, Queueing::No);
    let answer = eventually(|| async { store.acquire(&ask).await.ok() }).await;
    granted(&answer);
    assert!(store.diagnose().await.unwrap().iter().all(|finding| finding.severity < Severity::Error));
    let _: String = raw.say("CONFIG SET maxmemory-policy volatile-ttl").await;
    let findings = store.diagnose().await.unwrap();
    assert!(findings.iter().any(|finding| finding.severity == Severity::Error), "{findings:?}");
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_never_shown() {
    let server = private(&["--requirepass", "right"]);
    let place = server.url().replace("redis://", "");
    for credentials in [":hunter2@", "someone:hunter2@", ""] {
        let store = RedisStore::from_url(&format!("redis://{credentials}{place}"), options()).unwrap();
        let error = fails(&store).await;
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert!(!format!("{error}{error:?}{store:?}").contains("hunter2"), "{error:?} {store:?}");
    }
    let store = RedisStore::from_url(&format!("redis://:right@{place}"), options()).unwrap();
    let process = Process::open(&store, "p");
    granted(&store.acquire(&process.ask("m", 1, Queueing::No)).await.unwrap());
}

#[tokio::test]
async fn a_user_without_the_right_is_refused() {
    let server = private(&[]);
    let raw = Raw::to(&server.url()).await;
    let _: String = raw.say("ACL SETUSER weak on >weak +@all -evalsha ~* &*").await;
    let url = server.url().replace("redis://", "redis://weak:weak@");
    let error = fails(&RedisStore::from_url(&url, options()).unwrap()).await;
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_hides_its_settings_can_be_used() {
    let server = private(&[]);
    let raw = Raw::to(&server.url()).await;
    let _: String = raw.say("ACL SETUSER shy on >shy +@all -info -config ~* &*").await;
    let store = RedisStore::from_url(&server.url().replace("redis://", "redis://shy:shy@"), options()).unwrap();
    let process = Process::open(&store, "p");
    granted(&store.acquire(&process.ask("m", 1, Queueing::No)).await.unwrap());
}

#[tokio::test]
async fn no_server_is_unavailable_within_a_bound() {
    let mut server = private(&[]);
    server.kill();
    let bound = Duration::from_millis(300);
    let store = RedisStore::from_url(&server.url(), options().response_timeout(bound)).unwrap();
    let began = Instant::now();
    let error = fails(&store).await;
    assert!(matches!(&error, Error::Unavailable { .. }), "{error}");
    assert!(began.elapsed() < bound * 4, "{:?}", began.elapsed());
    let message = error.to_string();
    assert!(message.contains("127.0.0.1") && message.contains("efused"), "{message}");
}

#[tokio::test]
async fn a_server_that_cannot_write_is_unavailable() {
    let server = private(&[]);
    let raw = Raw::to(&server.url()).await;
    let store = RedisStore::from_url(&server.url(), options().response_timeout(Duration::from_millis(300))).unwrap();
    let process = Process::open(&store, "p");
    granted(&store.acquire(&process.ask("m", 1, Queueing::No)).await.unwrap());

    let _: String = raw.run(cmd("CONFIG").arg("SET").arg("maxmemory").arg(1)).await;
    let error = store.acquire(&process.ask("full", 2, Queueing::No)).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("OOM"), "{error}");
    let _: String = raw.run(cmd("CONFIG").arg("SET").arg("maxmemory").arg(0)).await;

    // As after a failover: first the error, then the handshake says so.
    let _: String = raw.say("REPLICAOF 127.0.0.1 1").await;
    for number in 3..6 {
        let error = store.acquire(&process.ask("replica", number, Queueing::No)).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
    }
    let _: String = raw.say("REPLICAOF NO ONE").await;
    granted(&answered(&store, &process.ask("again", 9, Queueing::No)).await);
}

#[test]
fn an_address_that_makes_no_sense_is_invalid_and_not_shown() {
    for url in ["redis://user:hunter2@host:port", "http://user:hunter2@host"] {
        let error = RedisStore::from_url(url, options()).unwrap_err();
        assert!(matches!(error, Error::Invalid(_)) && !error.to_string().contains("hunter2"), "{error}");
    }
    let error = RedisStore::from_url("redis://host", options().namespace("{x}")).unwrap_err();
    assert!(error.to_string().contains("namespace"), "{error}");
}
