use std::time::Duration;

use celeriac_broker::{Message, Outcome, Reason, TaskId, message::names};

use super::{PLAIN, Scripted, State, harness};
use crate::harness::Harness;

fn healthy() -> Harness<State> {
    harness(|_, _| async { Ok(()) })
}

/// As a Celery producer sends it: an eta, and nothing of ours.
async fn publish_foreign(harness: &Harness<State>, eta: &str) -> TaskId {
    let (to, message) = harness.message(Scripted::<PLAIN> { n: 1 }).build().unwrap();
    let mut headers = message.headers.clone();
    headers.retain(|name| !name.starts_with(names::RESERVED_PREFIX));
    headers.set(names::ETA, eta.to_owned());
    let message = Message::new(message.properties.clone(), headers, message.body.clone());
    let id = message.id();
    harness.broker().publish_message(to, message).await.unwrap();
    id
}

#[tokio::test(start_paused = true)]
async fn a_foreign_eta_waits_at_the_broker_and_burns_no_attempt() {
    let mut harness = healthy();
    let id = publish_foreign(&harness, "2099-01-01T00:00:00+00:00").await;
    let report = harness.run_until_idle().await.unwrap();
    let outcomes = report.outcomes(&id);
    assert_eq!(outcomes.last(), Some(&Outcome::Succeeded));
    assert!(outcomes.len() > 80, "70 years are more than one wait of 300 days");
    assert!(report.of(&id).take(outcomes.len() - 1).all(|record| record.reason == Reason::NotYet));
}

#[tokio::test(start_paused = true)]
async fn a_foreign_eta_in_the_past_runs_at_once() {
    let mut harness = healthy();
    let id = publish_foreign(&harness, "2020-01-01T00:00:00").await;
    harness.run_until_idle().await.unwrap().assert_outcomes(&id, &[Outcome::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn our_own_delay_is_waited_for_once_whatever_the_producers_clock_said() {
    let mut harness = healthy();
    let (to, message) = harness.message(Scripted::<PLAIN> { n: 1 }).delay(Duration::from_secs(10)).build().unwrap();
    let mut headers = message.headers.clone();
    // The producer's clock is 75 years ahead.
    headers.set(names::ETA, "2099-01-01T00:00:00.000000+00:00");
    let message = Message::new(message.properties.clone(), headers, message.body.clone());
    let id = message.id();
    harness.broker().publish_message(to, message).await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    report.assert_outcomes(&id, &[Outcome::Succeeded]);
    let after = report.settled_after(&id).unwrap();
    assert!((Duration::from_secs(10)..Duration::from_secs(11)).contains(&after), "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_is_not_run() {
    let mut harness = healthy();
    let message = harness.message(Scripted::<PLAIN> { n: 1 });
    let sent = message.delay(Duration::from_secs(60)).expires(Duration::from_secs(30)).publish().await.unwrap();
    harness.run_until_idle().await.unwrap().assert_outcomes(&sent.id, &[Outcome::Expired]);
}
