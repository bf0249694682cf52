use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use crate::{
    Error, IntoKey, Kind, LockKey,
    handle::asking,
    session::Session,
    store::{Spend, Spent},
};

/// So many per so long, with a burst: what a rate limit allows.
///
/// Written as `10/s`, `600/m`, `1000/h` or `50000/d`; the burst is 1 unless [`burst`](Self::burst) says more, which spaces calls
/// evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    interval: Duration,
    burst: u32,
}

impl Rate {
    /// `count` per `period`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where `count` is 0, or one takes less than a microsecond or more than a day.
    pub fn new(count: u32, period: Duration) -> Result<Self, Error> {
        // Whole microseconds, rounded up: rounded down, 3 a second would let through a few more.
        let micros = if count == 0 { 0 } else { period.as_micros().div_ceil(count.into()) };
        let interval = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        if interval.is_zero() || u128::from(count) > period.as_micros() || interval > Duration::from_secs(86_400) {
            return Err(Error::Invalid(format!(
                "a rate of {count} per {period:?} is not between 1 a day and 1,000,000 a second"
            )));
        }
        Ok(Self { interval, burst: 1 })
    }

    /// How many may come at once after a silence; at least 1.
    pub fn burst(self, burst: u32) -> Self {
        Self { burst: burst.max(1), ..self }
    }

    /// The time that one takes to come back.
    pub fn interval(self) -> Duration {
        self.interval
    }

    /// How many may come at once after a silence.
    pub fn burst_size(self) -> u32 {
        self.burst
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || {
            Error::Invalid(format!(
                "{text:?} is no rate; one looks like \"10/s\", \"600/m\", \"1000/h\" or \"50000/d\""
            ))
        };
        let (count, unit) = text.split_once('/').ok_or_else(invalid)?;
        let seconds = match unit.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(invalid()),
        };
        Self::new(count.trim().parse().map_err(|_| invalid())?, Duration::from_secs(seconds))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1 per {:?}, burst {}", self.interval, self.burst)
    }
}

/// A limit on how often something happens, in all processes that use the same store: the generic cell rate algorithm, one command
/// each time.
#[derive(Debug, Clone)]
pub struct RateLimit {
    session: Arc<Session>,
    key: LockKey,
    rate: Rate,
}

impl RateLimit {
    pub(crate) fn new(session: Arc<Session>, name: &str, rate: Rate) -> Self {
        Self { session, key: LockKey::new(Kind::Rate, name), rate }
    }

    /// Adds to its key: a text, an integer, a boolean or a tuple of them.
    pub fn key(self, key: impl IntoKey) -> Self {
        Self { key: self.key.parts(key.into_parts()), ..self }
    }

    /// The limit that it names.
    pub fn lock_key(&self) -> &LockKey {
        &self.key
    }

    /// Spends `cost` if it is there.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`], [`Error::Refused`], [`Error::Invalid`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves unknown whether it was spent.
    pub async fn try_spend(&self, cost: u32) -> Result<Spent, Error> {
        self.spend_or_reserve(cost, Duration::ZERO).await
    }

    /// Spends `cost`, or reserves a turn that is at most `horizon` away: a thousand who come at once then come back one by one.
    ///
    /// # Errors
    ///
    /// As [`try_spend`](Self::try_spend).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves unknown whether it was spent or reserved.
    pub async fn spend_or_reserve(&self, cost: u32, horizon: Duration) -> Result<Spent, Error> {
        self.key.check()?;
        self.session.ready()?;
        let spend = Spend { key: self.key.clone(), rate: self.rate, cost, horizon };
        let came_to = |spent: &Spent| match spent {
            Spent::Now => "granted",
            Spent::Reserved(_) => "reserved",
            Spent::Refused(_) => "refused",
        };
        asking(&self.key, came_to, self.session.store.spend(&spend)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_never_lets_through_more_than_it_says() {
        for (text, count) in [("3/s", 3), ("7/m", 7), ("999/h", 999), ("10/s", 10)] {
            let rate: Rate = text.parse().unwrap();
            let period = if text.ends_with('s') {
                1
            } else if text.ends_with('m') {
                60
            } else {
                3_600
            };
            assert!(rate.interval() * count >= Duration::from_secs(period), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused_with_an_example() {
        for text in ["", "10", "10/", "0/s", "-1/s", "ten/s", "10/w", "2000000/s"] {
            let error = text.parse::<Rate>().unwrap_err().to_string();
            assert!(error.contains("10/s") || error.contains("1,000,000 a second"), "{text}: {error}");
        }
    }
}
