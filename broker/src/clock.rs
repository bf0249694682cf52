//! The time of day, which a test can hold still.

use std::time::{Duration, SystemTime};

/// Tells the time of day: the system's, or one that follows tokio's (and so stops and jumps with a test's paused time).
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock(Option<(SystemTime, tokio::time::Instant)>);

impl Clock {
    /// The system's clock.
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that starts at the system's time and then follows [`tokio::time`].
    pub fn tokio() -> Self {
        Self(Some((SystemTime::now(), tokio::time::Instant::now())))
    }

    /// The time now.
    pub fn now(&self) -> SystemTime {
        match self.0 {
            None => SystemTime::now(),
            Some((start, origin)) => start + origin.elapsed(),
        }
    }

    /// How long until `instant`; zero when it has passed.
    pub fn until(&self, instant: SystemTime) -> Duration {
        instant.duration_since(self.now()).unwrap_or_default()
    }
}
