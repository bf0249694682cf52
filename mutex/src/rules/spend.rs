use std::time::Duration;

use super::{Micros, micros};
use crate::store::{Spend, Spent};

/// The generic cell rate algorithm, with reservations: `turn` is when the limit is as good as new.
///
/// Returns what `turn` is to be, where it changes, and what to say.
pub fn spend(turn: Option<Micros>, now: Micros, spend: &Spend) -> (Option<Micros>, Spent) {
    let interval = micros(spend.rate.interval());
    let cost = interval.saturating_mul(u64::from(spend.cost));
    // What costs more than the burst is let through when all of the burst is there.
    let burst = interval.saturating_mul(u64::from(spend.rate.burst_size().max(spend.cost)));
    let next = turn.unwrap_or(now).max(now).saturating_add(cost);
    let wait = Duration::from_micros(next.saturating_sub(burst).saturating_sub(now));
    if wait.is_zero() {
        (Some(next), Spent::Now)
    } else if wait <= spend.horizon {
        (Some(next), Spent::Reserved(wait))
    } else {
        (None, Spent::Refused(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, LockKey, Rate};

    fn ask(rate: Rate, cost: u32, horizon: u64) -> Spend {
        Spend { key: LockKey::new(Kind::Rate, "r"), rate, cost, horizon: Duration::from_millis(horizon) }
    }

    #[test]
    fn a_rate_without_a_burst_spaces_evenly() {
        let ten: Rate = "10/s".parse().unwrap();
        let (turn, first) = spend(None, 1_000_000, &ask(ten, 1, 0));
        assert_eq!(first, Spent::Now);
        assert_eq!(spend(turn, 1_000_000, &ask(ten, 1, 0)), (None, Spent::Refused(Duration::from_millis(100))));
        assert_eq!(spend(turn, 1_100_000, &ask(ten, 1, 0)).1, Spent::Now);
    }

    #[test]
    fn a_burst_comes_at_once_and_no_more() {
        let rate = "10/s".parse::<Rate>().unwrap().burst(3);
        let (mut turn, mut now) = (None, 0);
        for _ in 0..3 {
            let (next, spent) = spend(turn, 5_000_000, &ask(rate, 1, 0));
            now += u32::from(spent == Spent::Now);
            turn = next.or(turn);
        }
        assert_eq!(now, 3);
        assert!(matches!(spend(turn, 5_000_000, &ask(rate, 1, 0)).1, Spent::Refused(_)));
    }

    #[test]
    fn those_who_come_at_once_are_given_turns_one_after_the_other() {
        let ten: Rate = "10/s".parse().unwrap();
        let mut turn = None;
        for expected in 0..20_u64 {
            let (next, spent) = spend(turn, 7_000_000, &ask(ten, 1, 10_000));
            turn = next;
            let wait = match spent {
                Spent::Now => Duration::ZERO,
                Spent::Reserved(wait) => wait,
                Spent::Refused(_) => panic!("within the horizon"),
            };
            assert_eq!(wait, Duration::from_millis(expected * 100));
        }
        assert!(matches!(spend(turn, 7_000_000, &ask(ten, 1, 1_000)), (None, Spent::Refused(_))));
    }
}
