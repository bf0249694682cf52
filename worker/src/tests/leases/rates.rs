use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use celeriac_broker::{Outcome, Reason};
use tokio::time::Instant;

use super::{harness, locked, mutex, rate};

#[tokio::test(start_paused = true)]
async fn tasks_above_their_rate_come_back_once_each_at_their_turn() {
    let starts = Arc::new(Mutex::new(Vec::new()));
    let (mut harness, _) = harness({
        let starts = starts.clone();
        move |ctx, _| {
            let starts = starts.clone();
            async move {
                assert_eq!(ctx.attempt(), 1);
                starts.lock().unwrap().push(Instant::now());
                Ok(())
            }
        }
    });
    for n in 0..10 {
        harness.publish(locked(n, [rate("eu"), mutex(&n.to_string())])).await.unwrap();
    }
    let report = harness.run_until_idle().await.unwrap();
    let starts = starts.lock().unwrap().clone();
    assert_eq!(starts.len(), 10);
    for pair in starts.windows(2) {
        // The store's clock runs while this one is paused.
        assert!(pair[1] - pair[0] > Duration::from_millis(800), "{starts:?}");
    }
    assert_eq!(report.count(Outcome::Deferred), 9, "one for each that was above");
    assert!(report.records.iter().all(|record| record.delay.is_none() || record.reason == Reason::RateLimited));
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_was_missed_for_long_is_paid_again() {
    let (mut harness, locks) = harness(|_, _| async { Ok(()) });
    let spent = locks.rate("r", "1/s".parse().unwrap()).key("eu").try_spend(1).await.unwrap();
    assert_eq!(spent, celeriac_mutex::store::Spent::Now);
    let (to, mut message) = harness.message(locked(1, [rate("eu")])).build().unwrap();
    let turn = |at: std::time::SystemTime| {
        let at = at.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        celeriac_broker::HeaderValue::Table(vec![("rate:r:eu".to_owned(), i64::try_from(at).unwrap().into())])
    };
    let now = harness.broker().clock().now();
    let mut outcomes = Vec::new();
    for ago in [1, 60] {
        message.headers.set(celeriac_broker::message::names::TURNS, turn(now - Duration::from_secs(ago)));
        harness.broker().publish_message(to.clone(), message.clone()).await.unwrap();
        let report = harness.run_until_idle().await.unwrap();
        outcomes.push(report.records.iter().map(|record| record.outcome).collect::<Vec<_>>());
    }
    assert_eq!(outcomes[0], [Outcome::Succeeded], "its turn came a second ago");
    assert_eq!(outcomes[1], [Outcome::Deferred, Outcome::Succeeded], "a minute ago is too long");
}
