//! From an attempt's number to the delay before the next one.

use std::{str::FromStr, time::Duration};

use rand::{Rng, RngExt};

use crate::{duration, error::Error};

/// How many attempts, and how far apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts in all, the first included; 1 means never retried.
    pub max_attempts: u32,
    /// The delays before jitter.
    pub backoff: Backoff,
    /// How delays are spread.
    pub jitter: Jitter,
}

/// Delays that double from `base` to `cap`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backoff {
    /// The delay after the first attempt.
    pub base: Duration,
    /// The longest delay.
    pub cap: Duration,
}

/// How a delay is spread, so that tasks that failed together do not come back together.
///
/// The names and formulas are those of Marc Brooker's "Exponential Backoff And Jitter" (AWS, 2015).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Jitter {
    /// The backoff itself.
    None,
    /// Uniform between half the backoff and the backoff.
    Equal,
    /// Uniform between zero and the backoff; the default.
    #[default]
    Full,
    /// Uniform between the base and three times the previous delay, at most the cap.
    Decorrelated,
}

impl RetryPolicy {
    /// 4 attempts, delays up to 1 s, 2 s, 4 s with full jitter, never above 5 minutes.
    pub const DEFAULT: Self = Self {
        max_attempts: 4,
        backoff: Backoff { base: Duration::from_secs(1), cap: Duration::from_secs(300) },
        jitter: Jitter::Full,
    };

    /// One attempt.
    pub const NEVER: Self = Self { max_attempts: 1, ..Self::DEFAULT };

    /// Checks and builds a policy.
    ///
    /// # Errors
    /// [`Error::Config`] for no attempts, a base above the cap, a base of zero with a cap that is not,
    /// or a cap above what brokers can hold.
    pub fn new(max_attempts: u32, backoff: Backoff, jitter: Jitter) -> Result<Self, Error> {
        let fault = |setting: &str, fault: String| Err(Error::Config { setting: setting.into(), fault });
        if max_attempts == 0 {
            return fault("retry.max_attempts", "0 would never run the task; 1 means no retry".into());
        }
        if backoff.base > backoff.cap {
            return fault("retry.backoff", format!("the base {:?} is above the cap {:?}", backoff.base, backoff.cap));
        }
        if backoff.cap > crate::transport::MAX_DELAY {
            return fault(
                "retry.backoff",
                format!(
                    "the cap {:?} is above the {:?} that a broker can hold",
                    backoff.cap,
                    crate::transport::MAX_DELAY
                ),
            );
        }
        if backoff.base.is_zero() && !backoff.cap.is_zero() {
            return fault("retry.backoff", "a base of 0 never grows; give a base above 0, or a cap of 0".into());
        }
        Ok(Self { max_attempts, backoff, jitter })
    }

    /// As [`RetryPolicy::new`], for constants: a bad policy does not compile.
    ///
    /// # Panics
    /// On what [`RetryPolicy::new`] refuses; in a constant, that is a compile error.
    pub const fn checked(max_attempts: u32, base: Duration, cap: Duration, jitter: Jitter) -> Self {
        assert!(max_attempts > 0, "max_attempts: 0 would never run the task; 1 means no retry");
        assert!(base.as_nanos() <= cap.as_nanos(), "backoff: the base is above the cap");
        assert!(base.as_nanos() > 0 || cap.as_nanos() == 0, "backoff: a base of 0 never grows");
        assert!(
            cap.as_nanos() <= crate::transport::MAX_DELAY.as_nanos(),
            "backoff: the cap is above what a broker can hold"
        );
        Self { max_attempts, backoff: Backoff { base, cap }, jitter }
    }

    /// The delay after `attempt` (from 1) failed, or `None` when no attempt is left.
    ///
    /// `previous` is the delay before this attempt, which decorrelated jitter grows from.
    pub fn delay(&self, attempt: u32, previous: Option<Duration>, rng: &mut impl Rng) -> Option<Duration> {
        (attempt < self.max_attempts).then(|| self.jitter.spread(self.backoff, attempt, previous, rng))
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Backoff {
    /// Delays that double from `base` to `cap`.
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap }
    }

    /// The delay after `attempt` (from 1), before jitter. Saturates: no attempt number overflows.
    pub fn after(&self, attempt: u32) -> Duration {
        let doublings = attempt.saturating_sub(1).min(127);
        let nanos = self.base.as_nanos().saturating_mul(1_u128.checked_shl(doublings).unwrap_or(u128::MAX));
        if nanos >= self.cap.as_nanos() { self.cap } else { from_nanos(nanos) }
    }
}

/// `base..cap`, such as `1s..5m`, in the units of [`duration::parse`].
impl FromStr for Backoff {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fault = |fault| Error::Config { setting: "retry.backoff".into(), fault };
        let (base, cap) = text.split_once("..").ok_or_else(|| {
            fault(format!("{text:?} is no range; write the first and the longest delay, such as 1s..5m"))
        })?;
        let read = |text| duration::parse(text).map_err(|error| fault(error.to_string()));
        Ok(Self::new(read(base)?, read(cap)?))
    }
}

/// `none`, `equal`, `full` or `decorrelated`.
impl FromStr for Jitter {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "none" => Ok(Self::None),
            "equal" => Ok(Self::Equal),
            "full" => Ok(Self::Full),
            "decorrelated" => Ok(Self::Decorrelated),
            _ => Err(Error::Config {
                setting: "retry.jitter".into(),
                fault: format!("{text:?} is none of none, equal, full and decorrelated"),
            }),
        }
    }
}

impl Jitter {
    fn spread(self, backoff: Backoff, attempt: u32, previous: Option<Duration>, rng: &mut impl Rng) -> Duration {
        let full = backoff.after(attempt);
        match self {
            Self::None => full,
            Self::Equal => between(full / 2, full, rng),
            Self::Full => between(Duration::ZERO, full, rng),
            Self::Decorrelated => {
                let ceiling = previous.unwrap_or(backoff.base).max(backoff.base).saturating_mul(3).min(backoff.cap);
                between(backoff.base.min(ceiling), ceiling, rng)
            }
        }
    }
}

/// Uniform over `low..=high`.
pub(crate) fn between(low: Duration, high: Duration, rng: &mut impl Rng) -> Duration {
    from_nanos(rng.random_range(low.as_nanos()..=high.as_nanos()))
}

fn from_nanos(nanos: u128) -> Duration {
    const PER_SEC: u128 = 1_000_000_000;
    // The remainder of a division by 10^9 fits 32 bits, and no Duration has more seconds than 64 bits hold.
    Duration::new(u64::try_from(nanos / PER_SEC).unwrap_or(u64::MAX), (nanos % PER_SEC) as u32)
}
