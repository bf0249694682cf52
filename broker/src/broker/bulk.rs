use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    time::Duration,
};

use futures_util::{StreamExt, stream};

use super::{Draft, Sent};
use crate::{Error, Task};

/// Many tasks about to be published; await it.
#[must_use = "nothing is sent before it is awaited"]
pub struct Bulk<T> {
    /// Each is encoded when its turn comes, while the broker is busy with those before it.
    drafts: Box<dyn ExactSizeIterator<Item = Draft<T>> + Send>,
    spread: Duration,
    in_flight: usize,
}

impl<T: Task> Bulk<T> {
    /// The default of [`in_flight`](Self::in_flight).
    pub const DEFAULT_IN_FLIGHT: usize = 512;

    pub(super) fn new(drafts: impl ExactSizeIterator<Item = Draft<T>> + Send + 'static) -> Self {
        Self { drafts: Box::new(drafts), spread: Duration::ZERO, in_flight: Self::DEFAULT_IN_FLIGHT }
    }

    /// Many drafts, each with options of its own.
    pub fn of(drafts: impl IntoIterator<Item = Draft<T>>) -> Self {
        Self::new(drafts.into_iter().collect::<Vec<_>>().into_iter())
    }

    /// Spreads them evenly over `window` from now, so that they do not arrive as a herd. Default: all at once.
    pub fn spread_over(mut self, window: Duration) -> Self {
        self.spread = window;
        self
    }

    /// How many may await their confirmation at once; at least 1. Default: 512.
    pub fn in_flight(mut self, publishes: usize) -> Self {
        self.in_flight = publishes.max(1);
        self
    }
}

impl<T: Task> IntoFuture for Bulk<T> {
    /// What became of each task, in the order given.
    type Output = Vec<Result<Sent<T>, Error>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let count = u32::try_from(self.drafts.len()).unwrap_or(u32::MAX).max(1);
        let step = self.spread / count;
        let publishes = self.drafts.enumerate().map(move |(index, draft)| {
            let offset = step.saturating_mul(u32::try_from(index).unwrap_or(u32::MAX));
            if offset.is_zero() { draft.publish() } else { draft.spread(offset).publish() }
        });
        Box::pin(stream::iter(publishes).buffered(self.in_flight).collect())
    }
}

impl<T> fmt::Debug for Bulk<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk")
            .field("tasks", &self.drafts.len())
            .field("spread", &self.spread)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}
