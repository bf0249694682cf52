use std::time::Duration;

use tokio::time::sleep;

/// How long to wait between attempts that are made for ever: 50 ms, doubling up to 2 s, less up to a half by chance.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    attempts: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(2);

    pub(super) async fn pause(&mut self) {
        let full = Self::FIRST.saturating_mul(1 << self.attempts.min(10)).min(Self::LONGEST);
        self.attempts += 1;
        sleep(full.mul_f64(rand::random_range(0.5..=1.0))).await;
    }

    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }
}
