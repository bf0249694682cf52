//! A store that does not answer makes nobody wait for ever.

use std::time::{Duration, Instant};

use celeriac_mutex::Error;

use crate::gates::{Gate, Gated, Gates, OPEN};

#[tokio::test]
async fn a_wait_ends_when_the_store_does_not_answer_for_long() {
    let store = Gated::new(Gates { acquire: Gate::Refused, ..OPEN });
    let began = Instant::now();
    let error = store.locks().mutex("m").lock().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(began.elapsed() >= Duration::from_millis(300) && began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn one_who_stands_in_line_is_told_when_the_store_goes_silent() {
    let store = Gated::new(OPEN);
    let first = store.other().mutex("m").lock().await.unwrap();
    let locks = store.locks();
    let waiter = tokio::spawn(async move { locks.mutex("m").lock().await.map(drop) });
    let key = first.key().clone();
    while store.other().inspect(&key).await.unwrap().unwrap().waiters.is_empty() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    store.set(Gates { renew: Gate::Refused, ..OPEN });
    let told = tokio::time::timeout(Duration::from_secs(8), waiter).await.expect("within a few seconds").unwrap();
    assert!(matches!(told, Err(Error::Unavailable { .. })), "{told:?}");
}

#[tokio::test]
async fn a_store_that_comes_back_serves_those_who_still_wait() {
    let store = Gated::new(Gates { acquire: Gate::Refused, ..OPEN });
    let locks = store.locks();
    let waiter = tokio::spawn(async move { locks.mutex("m").lock().await.map(drop) });
    tokio::time::sleep(Duration::from_millis(50)).await;
    store.set(OPEN);
    waiter.await.unwrap().unwrap();
}
