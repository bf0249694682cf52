use std::time::Duration;

use celeriac_broker::{HeaderValue, Outcome, message::names};
use celeriac_mutex::Taken;

use super::{Crowd, harness, locked, mutex};

const KEY: &str = "mutex:m:a";

#[tokio::test(start_paused = true)]
async fn however_often_a_task_comes_back_it_has_one_place_in_line_and_it_is_its_first() {
    let (mut harness, locks) = harness(|_, _| async { Ok(()) });
    let held = locks.mutex("m").key("a").lock().await.unwrap();
    let sent = harness.publish(locked(1, [mutex("a")])).await.unwrap();
    let watching = tokio::spawn({
        let locks = locks.clone();
        async move {
            let mut since = None;
            // The task comes back every 50 ms, or later.
            for _ in 0..30 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let waiters = locks.inspect(&KEY.parse().unwrap()).await.unwrap().unwrap().waiters;
                assert_eq!(waiters.len(), 1);
                assert_eq!(*since.get_or_insert(waiters[0].since), waiters[0].since);
            }
            held.release().await.unwrap();
        }
    });
    let report = harness.run_until_idle().await.unwrap();
    watching.await.unwrap();
    let outcomes = report.outcomes(&sent.id);
    assert!(outcomes.len() > 5, "{outcomes:?}");
    assert_eq!(outcomes.last(), Some(&Outcome::Succeeded));
    let line = locks.inspect(&KEY.parse().unwrap()).await.unwrap().unwrap();
    assert!(line.waiters.is_empty() && line.holders.is_empty(), "{line:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_delivered_twice_does_not_get_in_beside_its_own_first_run() {
    let crowd = Crowd::default();
    let (harness, locks) = harness({
        let crowd = crowd.clone();
        move |_, _| {
            let crowd = crowd.clone();
            async move {
                crowd.stay(Duration::from_secs(1)).await;
                Ok(())
            }
        }
    });
    let mut harness = harness.workers(2);
    let (to, message) = harness.message(locked(1, [mutex("a")])).build().unwrap();
    for _ in 0..2 {
        harness.broker().publish_message(to.clone(), message.clone()).await.unwrap();
    }
    let report = harness.run_until_idle().await.unwrap();
    assert_eq!((report.count(Outcome::Succeeded), crowd.peak()), (2, 1));

    // The same with the ticket of a place in both copies.
    let held = locks.mutex("m").key("a").lock().await.unwrap();
    let Taken::Parked(place) = locks.mutex("m").key("a").take_or_park(None).await.unwrap() else {
        panic!("it is held");
    };
    let mut message = message;
    let ticket = place.ticket.as_str().to_owned();
    message.headers.set(names::PLACES, HeaderValue::Table(vec![(KEY.to_owned(), ticket.into())]));
    for _ in 0..2 {
        harness.broker().publish_message(to.clone(), message.clone()).await.unwrap();
    }
    held.release().await.unwrap();
    let report = harness.run_until_idle().await.unwrap();
    assert_eq!((report.count(Outcome::Succeeded), crowd.peak()), (2, 1));
}
