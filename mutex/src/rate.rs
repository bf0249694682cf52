use std::{fmt, str::FromStr, time::Duration};

use crate::Error;

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
        let interval = period.checked_div(count).unwrap_or_default();
        if interval < Duration::from_micros(1) || interval > Duration::from_secs(86_400) {
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
