//! A store that does not answer makes nobody wait for ever.

use std::time::{Duration, Instant};

use celeriac_mutex::{
    Error,
    conformance::steps::{until_waiting, within},
};

use super::{behind, impatient};
use crate::support::faulty::{Gate, Gates, OPEN};

#[tokio::test]
async fn a_wait_ends_when_the_store_does_not_answer_for_long() {
    let store = behind(Gates { acquire: Gate::Refused, ..OPEN });
    let began = Instant::now();
    let error = impatient(&store).mutex("m").lock().await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error}");
    assert!(began.elapsed() >= Duration::from_millis(300) && began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn one_who_stands_in_line_is_told_when_the_store_goes_silent() {
    let store = behind(OPEN);
    let first = store.other().mutex("m").lock().await.unwrap();
    let locks = impatient(&store);
    let waiter = tokio::spawn(async move { locks.mutex("m").lock().await.map(drop) });
    until_waiting(&store.other(), first.key(), 1).await;
    store.set(Gates { renew: Gate::Refused, ..OPEN });
    let told = within(Duration::from_secs(8), waiter).await.unwrap();
    assert!(matches!(told, Err(Error::Unavailable { .. })), "{told:?}");
}

#[tokio::test]
async fn a_store_that_comes_back_serves_those_who_still_wait() {
    let store = behind(Gates { acquire: Gate::Refused, ..OPEN });
    let locks = impatient(&store);
    let waiter = tokio::spawn(async move { locks.mutex("m").lock().await.map(drop) });
    // It has been refused, and asks again.
    store.until(|asked| (asked.acquisitions >= 2).then_some(())).await;
    store.set(OPEN);
    waiter.await.unwrap().unwrap();
}
