use std::time::Duration;

use celeriac_broker::{Backoff, Jitter, RetryPolicy, duration, transport::MAX_DELAY};
use proptest::prelude::*;
use rand::{SeedableRng, rngs::StdRng};

const JITTERS: [Jitter; 4] = [Jitter::None, Jitter::Equal, Jitter::Full, Jitter::Decorrelated];

fn policy(backoff: Backoff, jitter: Jitter) -> RetryPolicy {
    RetryPolicy::new(u32::MAX, backoff, jitter).unwrap()
}

fn backoffs() -> impl Strategy<Value = Backoff> {
    let longest = u64::try_from(MAX_DELAY.as_nanos()).unwrap();
    (1..=longest, 1..=longest)
        .prop_map(|(a, b)| Backoff::new(Duration::from_nanos(a.min(b)), Duration::from_nanos(a.max(b))))
}

fn attempts() -> impl Strategy<Value = u32> {
    prop_oneof![1..200_u32, Just(10_000), Just(u32::MAX - 1)]
}

proptest! {
    #[test]
    fn every_delay_is_within_its_jitters_bounds(
        backoff in backoffs(), attempt in attempts(), jitter in 0..4_usize, seed: u64,
        previous in proptest::option::of(backoffs()),
    ) {
        let jitter = JITTERS[jitter];
        let previous = previous.map(|previous| previous.base);
        let delay = policy(backoff, jitter).delay(attempt, previous, &mut StdRng::seed_from_u64(seed)).unwrap();
        let full = backoff.after(attempt);
        prop_assert!(full >= backoff.base && full <= backoff.cap);
        let (low, high) = match jitter {
            Jitter::None => (full, full),
            Jitter::Equal => (full / 2, full),
            Jitter::Full => (Duration::ZERO, full),
            _ => {
                let grown = previous.unwrap_or(backoff.base).max(backoff.base).saturating_mul(3);
                (backoff.base, grown.min(backoff.cap))
            }
        };
        prop_assert!((low..=high).contains(&delay), "{delay:?} is outside {low:?}..={high:?}");
    }

    #[test]
    fn the_backoff_never_falls_and_reaches_its_cap(backoff in backoffs(), attempt in 1..300_u32) {
        prop_assert!(backoff.after(attempt) <= backoff.after(attempt + 1));
        prop_assert_eq!(backoff.after(10_000), backoff.cap);
        prop_assert_eq!(backoff.after(u32::MAX), backoff.cap);
        prop_assert_eq!(backoff.after(1), backoff.base);
    }

    #[test]
    fn decorrelated_delays_stay_between_base_and_cap_over_a_whole_life(backoff in backoffs(), seed: u64) {
        let (policy, mut rng) = (policy(backoff, Jitter::Decorrelated), StdRng::seed_from_u64(seed));
        let mut previous = None;
        for attempt in 1..100 {
            let delay = policy.delay(attempt, previous, &mut rng).unwrap();
            prop_assert!(delay >= backoff.base && delay <= backoff.cap);
            previous = Some(delay);
        }
    }

    #[test]
    fn a_duration_reads_back_as_what_was_written(millis in 0..u64::MAX / 1_000_000) {
        prop_assert_eq!(duration::parse(&format!("{millis}ms")).unwrap(), Duration::from_millis(millis));
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "\\PC{0,20}|[0-9.]{0,30}(ms|s|m|h|d)?(\\.\\.)?[0-9]{0,30}") {
        drop((duration::parse(&text), text.parse::<Backoff>(), text.parse::<Jitter>()));
    }
}

#[test]
fn doublings_are_exact() {
    let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(300));
    let delays: Vec<_> = (1..=10).map(|attempt| backoff.after(attempt).as_secs()).collect();
    assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
}

#[test]
fn fifty_thousand_failures_at_once_come_back_spread_evenly() {
    for (jitter, attempt, low, high) in [
        (Jitter::Full, 6, 0.0, 32.0),
        (Jitter::Equal, 6, 16.0, 32.0),
        (Jitter::Full, 10_000, 0.0, 300.0),
        (Jitter::Decorrelated, 6, 1.0, 30.0),
    ] {
        let policy = policy(Backoff::new(Duration::from_secs(1), Duration::from_secs(300)), jitter);
        let mut rng = StdRng::seed_from_u64(7);
        let mut buckets = [0_u32; 50];
        for _ in 0..50_000 {
            let delay = policy.delay(attempt, Some(Duration::from_secs(10)), &mut rng).unwrap().as_secs_f64();
            let place = (delay - low) / (high - low) * 50.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 50")]
            let place = place as usize;
            buckets[place.min(49)] += 1;
        }
        assert!(buckets.iter().all(|count| (800..=1200).contains(count)), "{jitter:?} at {attempt}: {buckets:?}");
    }
}

#[test]
fn attempts_end_at_the_last_one() {
    let policy = RetryPolicy::new(3, Backoff::new(Duration::from_secs(1), Duration::from_secs(9)), Jitter::None);
    let mut rng = StdRng::seed_from_u64(1);
    let delays: Vec<_> = (1..=4).map(|attempt| policy.as_ref().unwrap().delay(attempt, None, &mut rng)).collect();
    assert_eq!(delays, [Some(Duration::from_secs(1)), Some(Duration::from_secs(2)), None, None]);
    assert_eq!(RetryPolicy::NEVER.delay(1, None, &mut rng), None);
}

#[test]
fn a_policy_that_can_not_be_is_refused_with_what_would_be_right() {
    let fault = |attempts, base: &str, cap: &str| {
        let backoff = Backoff::new(duration::parse(base).unwrap(), duration::parse(cap).unwrap());
        RetryPolicy::new(attempts, backoff, Jitter::Full).unwrap_err().to_string()
    };
    assert!(fault(0, "1s", "5m").contains("1 means no retry"));
    assert!(fault(4, "5m", "1s").contains("above the cap"));
    assert!(fault(4, "0s", "1s").contains("never grows"));
    assert!(fault(4, "1s", "301d").contains("that a broker can hold"));
    let zero = Backoff::new(Duration::ZERO, Duration::ZERO);
    assert!(RetryPolicy::new(4, zero, Jitter::Full).is_ok(), "at once is a choice");
}

#[test]
fn durations_and_backoffs_are_read_as_people_write_them() {
    for (text, millis) in [
        ("500ms", 500),
        ("20s", 20_000),
        ("5m", 300_000),
        ("1h", 3_600_000),
        ("2d", 172_800_000),
        ("1.5h", 5_400_000),
        ("0.25s", 250),
        (" 3 s ", 3000),
        ("0s", 0),
    ] {
        assert_eq!(duration::parse(text).unwrap(), Duration::from_millis(millis), "{text}");
    }
    assert_eq!("1s..5m".parse::<Backoff>().unwrap(), Backoff::new(Duration::from_secs(1), Duration::from_secs(300)));
    assert_eq!("full".parse::<Jitter>().unwrap(), Jitter::Full);
}

#[test]
fn durations_that_are_none_are_refused_with_what_is_wrong() {
    for (text, says) in [
        ("20", "has no unit; write 20ms, 20s"),
        ("-5s", "is negative"),
        ("NaN", "is no duration"),
        ("inf", "is no duration"),
        ("", "is no duration"),
        ("5 parsecs", "is no unit"),
        ("5S", "is no unit"),
        ("1.2.3s", "is no number"),
        ("1.s", "is no number"),
        ("99999999999999999999d", "is no number"),
    ] {
        let fault = duration::parse(text).unwrap_err().to_string();
        assert!(fault.contains(says), "{text}: {fault}");
    }
    assert!("5m".parse::<Backoff>().unwrap_err().to_string().contains("such as 1s..5m"));
    assert!("1s..5".parse::<Backoff>().unwrap_err().to_string().contains("has no unit"));
    assert!("some".parse::<Jitter>().unwrap_err().to_string().contains("decorrelated"));
}
