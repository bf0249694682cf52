use std::time::{Duration, Instant};

use super::{Fixture, steps::eventually};
use crate::{Rate, store::Spent};

/// Beyond its burst, a rate limit lets through so much per time, for all processes together.
pub async fn a_rate_limit_spaces_calls(fixture: &impl Fixture) {
    let (name, rate) = (fixture.name("spaced"), "2/s".parse::<Rate>().unwrap().burst(3));
    let processes = [fixture.locks(), fixture.locks()];
    let limit = |number: usize| processes[number % 2].rate(&name, rate).key("eu");
    for number in 0..3 {
        assert_eq!(limit(number).try_spend(1).await.unwrap(), Spent::Now);
    }
    let refused = Instant::now();
    let Spent::Refused(wait) = limit(0).try_spend(1).await.unwrap() else { panic!("the burst is spent") };
    assert!(wait <= Duration::from_millis(500), "{wait:?}");
    assert_eq!(processes[0].rate(&name, rate).key("us").try_spend(1).await.unwrap(), Spent::Now, "another key");
    // Asking too soon costs nothing and moves no turn.
    let limit = &limit(1);
    eventually(|| async move { (limit.try_spend(1).await.unwrap() == Spent::Now).then_some(()) }).await;
    let waited = refused.elapsed();
    assert!(waited >= wait && waited < wait + Duration::from_secs(5), "{waited:?}, not {wait:?}");
}

/// Those who come too soon may reserve turns, one after the other, as far as they say.
pub async fn those_beyond_the_rate_are_given_turns(fixture: &impl Fixture) {
    let (name, locks, rate) = (fixture.name("turns"), fixture.locks(), "10/m".parse::<Rate>().unwrap());
    let limit = locks.rate(&name, rate);
    let horizon = Duration::from_secs(20);
    assert_eq!(limit.spend_or_reserve(1, horizon).await.unwrap(), Spent::Now);
    for turn in 1..=3 {
        let Spent::Reserved(wait) = limit.spend_or_reserve(1, horizon).await.unwrap() else {
            panic!("turn {turn} is free")
        };
        let exact = Duration::from_secs(6) * turn;
        assert!(wait <= exact && wait + Duration::from_secs(2) > exact, "{wait:?}, not about {exact:?}");
    }
    assert!(matches!(limit.spend_or_reserve(1, horizon).await.unwrap(), Spent::Refused(_)), "beyond the horizon");
}
