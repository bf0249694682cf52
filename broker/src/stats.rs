//! What a [`Broker`](crate::Broker) handle has done so far, as plain numbers: whoever exports metrics reads them when asked.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::{Error, outcome::PublishFault};

/// The upper bounds of [`Durations`]' buckets.
pub const PUBLISH_BUCKETS: [Duration; 13] = [
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
];

/// What a broker's handle, and its clones, have done so far.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerStats {
    /// Messages that the broker has confirmed.
    pub published: u64,
    /// Publishes that failed.
    pub failed: Vec<(PublishFault, u64)>,
    /// How long confirmed publishes took.
    pub durations: Durations,
    /// Connections made anew after one was lost.
    pub reconnects: u64,
}

/// How often something took how long.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Durations {
    /// How many took at most each of [`PUBLISH_BUCKETS`], and longer than the one before.
    pub counts: [u64; PUBLISH_BUCKETS.len()],
    /// How many there were, the longest included.
    pub count: u64,
    /// All of them together.
    pub sum: Duration,
}

/// The numbers as they are counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    failed: [AtomicU64; PublishFault::ALL.len()],
    buckets: [AtomicU64; PUBLISH_BUCKETS.len()],
    published: AtomicU64,
    nanos: AtomicU64,
}

impl Counts {
    /// Counts what became of a publish that began at `began`.
    pub(crate) fn published(&self, began: Instant, result: &Result<(), Error>) {
        if let Err(error) = result {
            self.failed[PublishFault::of(error) as usize].fetch_add(1, Ordering::Relaxed);
            return;
        }
        let took = began.elapsed();
        if let Some(bucket) = PUBLISH_BUCKETS.iter().position(|bound| took <= *bound) {
            self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        self.nanos.fetch_add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.published.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, reconnects: u64) -> BrokerStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = std::array::from_fn(|bucket| read(&self.buckets[bucket]));
        let published = read(&self.published);
        BrokerStats {
            published,
            failed: PublishFault::ALL.iter().map(|fault| (*fault, read(&self.failed[*fault as usize]))).collect(),
            durations: Durations {
                counts,
                // Read one after another: a scrape must not show more in the buckets than in all.
                count: published.max(counts.iter().sum()),
                sum: Duration::from_nanos(read(&self.nanos)),
            },
            reconnects,
        }
    }
}

impl PublishFault {
    /// Why a publish failed that returned `error`.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Unreachable { .. } => Self::Unreachable,
            Error::Refused { .. } => Self::Refused,
            Error::Blocked { .. } => Self::Blocked,
            Error::Unconfirmed { .. } => Self::Unconfirmed,
            Error::Unroutable { .. } => Self::Unroutable,
            Error::Nacked { .. } => Self::Nacked,
            Error::TooLarge { .. } => Self::TooLarge,
            Error::Store { .. } => Self::Store,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_publish_is_in_one_bucket_and_each_failure_under_its_reason() {
        let counts = Counts::default();
        let ago = |millis| Instant::now().checked_sub(Duration::from_millis(millis)).unwrap();
        for millis in [3, 700, 60_000] {
            counts.published(ago(millis), &Ok(()));
        }
        counts.published(ago(1), &Err(Error::Closed));
        let stats = counts.read(7);
        assert_eq!((stats.published, stats.durations.count, stats.reconnects), (3, 3, 7));
        assert_eq!(stats.durations.counts, [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
        assert!(stats.durations.sum > Duration::from_millis(60_703));
        let failed: Vec<_> = stats.failed.iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(failed, [&(PublishFault::Other, 1)]);
    }
}
