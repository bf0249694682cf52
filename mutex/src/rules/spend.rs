use std::time::Duration;

use super::Micros;
use crate::store::{Spend, Spent};

/// Spends from a rate limit: the generic cell rate algorithm, with turns that may be reserved.
///
/// `tat` is when all that was spent so far will have come back, `None` where that is over. Returns what it is now, `None` where it has
/// not changed. A cost above the burst is granted when all has come back, or nobody would ever be granted it; who comes next pays for it by waiting.
pub fn spend(tat: Option<Micros>, now: Micros, spend: &Spend) -> (Option<Micros>, Spent) {
    let burst = spend.rate.burst_size().max(spend.cost);
    let (price, depth) = (times(spend.rate.interval(), spend.cost), times(spend.rate.interval(), burst));
    let back = tat.unwrap_or(0).max(now).saturating_add(price);
    let wait = Duration::from_micros(back.saturating_sub(now).saturating_sub(depth));
    if wait.is_zero() {
        (Some(back), Spent::Now)
    } else if wait <= spend.horizon {
        (Some(back), Spent::Reserved(wait))
    } else {
        (None, Spent::Refused(wait))
    }
}

/// Rounded up, so that a rate is never exceeded.
fn times(interval: Duration, count: u32) -> Micros {
    let total = interval.as_nanos().saturating_mul(u128::from(count)).div_ceil(1000);
    u64::try_from(total).unwrap_or(u64::MAX / 4).min(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Kind, LockKey, Rate};

    fn ask(rate: &str, burst: u32, cost: u32, horizon: Duration) -> Spend {
        let rate = rate.parse::<Rate>().unwrap().burst(burst);
        Spend { key: LockKey::new(Kind::Rate, "dms"), rate, cost, horizon }
    }

    fn run(tat: &mut Option<Micros>, now: Micros, ask: &Spend) -> Spent {
        let (new, spent) = spend(*tat, now, ask);
        *tat = new.or(*tat);
        spent
    }

    #[test]
    fn a_burst_passes_and_then_one_per_interval() {
        let (ask, mut tat) = (ask("10/s", 3, 1, Duration::ZERO), None);
        for _ in 0..3 {
            assert_eq!(run(&mut tat, 1_000_000, &ask), Spent::Now);
        }
        assert_eq!(run(&mut tat, 1_000_000, &ask), Spent::Refused(Duration::from_millis(100)));
        assert_eq!(run(&mut tat, 1_099_999, &ask), Spent::Refused(Duration::from_micros(1)));
        assert_eq!(run(&mut tat, 1_100_000, &ask), Spent::Now);
        assert_eq!(run(&mut tat, 1_100_000, &ask), Spent::Refused(Duration::from_millis(100)));
    }

    #[test]
    fn reserved_turns_are_spread_and_paid_for() {
        let (ask, mut tat) = (ask("10/s", 1, 1, Duration::from_millis(300)), None);
        let waits: Vec<_> = (0..5).map(|_| run(&mut tat, 0, &ask)).collect();
        let ms = Duration::from_millis;
        let reserved = [100, 200, 300].map(|wait| Spent::Reserved(ms(wait)));
        assert_eq!(waits[0], Spent::Now);
        assert_eq!(waits[1..4], reserved);
        assert_eq!(waits[4], Spent::Refused(ms(400)));
        assert_eq!(run(&mut tat, 300_000, &ask), Spent::Reserved(ms(100)));
    }

    #[test]
    fn a_cost_above_the_burst_is_granted_after_a_silence() {
        let (dear, cheap, mut tat) = (ask("10/s", 2, 5, Duration::ZERO), ask("10/s", 2, 1, Duration::ZERO), None);
        assert_eq!(run(&mut tat, 0, &cheap), Spent::Now);
        assert_eq!(run(&mut tat, 0, &dear), Spent::Refused(Duration::from_millis(100)));
        assert_eq!(run(&mut tat, 100_000, &dear), Spent::Now);
        assert_eq!(run(&mut tat, 100_000, &cheap), Spent::Refused(Duration::from_millis(400)));
    }

    proptest! {
        #[test]
        fn no_window_ever_sees_more_than_the_rate_and_one_burst(
            count in 1u32..2000, burst in 1u32..10, steps in proptest::collection::vec((0u64..50_000, 1u32..4, 0u64..400), 1..60)
        ) {
            let (mut tat, mut now, mut turns) = (None, 1u64 << 50, Vec::new());
            for (step, cost, horizon) in steps {
                now += step;
                let ask = ask(&format!("{count}/s"), burst, cost.min(burst), Duration::from_millis(horizon));
                match run(&mut tat, now, &ask) {
                    Spent::Now => turns.push((now, ask.cost)),
                    Spent::Reserved(wait) => turns.push((now + crate::rules::micros(wait), ask.cost)),
                    Spent::Refused(_) => {}
                }
            }
            turns.sort_unstable();
            for first in 0..turns.len() {
                let mut spent = 0;
                for (at, cost) in &turns[first..] {
                    spent += u64::from(*cost);
                    let allowed = u64::from(burst) + (at - turns[first].0) * u64::from(count) / 1_000_000;
                    prop_assert!(spent <= allowed + 1, "{spent} spent, {allowed} allowed");
                }
            }
        }
    }
}
