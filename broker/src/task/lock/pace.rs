use std::{str::FromStr, time::Duration};

use crate::Error;

/// What a rate limit allows: so many per so long, of which a burst may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Pace {
    /// How many.
    pub count: u32,
    /// Per how long.
    pub period: Duration,
    /// How many may come at once after a silence; at least 1.
    pub burst: u32,
}

impl Pace {
    /// `count` per `period`, evenly spaced.
    pub const fn new(count: u32, period: Duration) -> Self {
        Self { count, period, burst: 1 }
    }

    /// Lets `burst` come at once after a silence.
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }
}

/// Reads `10/s`, `600/m`, `1000/h` or `50000/d`.
impl FromStr for Pace {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fault = || Error::Config {
            setting: "rate".into(),
            fault: format!("{text:?} is no rate; one looks like 10/s, 600/m, 1000/h or 50000/d"),
        };
        let (count, unit) = text.split_once('/').ok_or_else(fault)?;
        let seconds = match unit.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(fault()),
        };
        let count = count.trim().parse().ok().filter(|count| *count > 0).ok_or_else(fault)?;
        Ok(Self::new(count, Duration::from_secs(seconds)))
    }
}
