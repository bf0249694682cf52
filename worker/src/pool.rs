/// The slots that run one queue's tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Pool {
    pub(crate) concurrency: u16,
    pub(crate) prefetch: Option<u16>,
}

impl Pool {
    /// `concurrency` tasks at once.
    pub const fn new(concurrency: u16) -> Self {
        Self { concurrency, prefetch: None }
    }

    /// How many deliveries may be unsettled at once. Default: the concurrency. More than that helps tasks of a few
    /// milliseconds, and makes a slow worker hold messages that an idle one could run.
    pub const fn prefetch(mut self, deliveries: u16) -> Self {
        self.prefetch = Some(deliveries);
        self
    }

    pub(crate) fn effective_prefetch(self) -> u16 {
        self.prefetch.unwrap_or(self.concurrency).max(self.concurrency)
    }
}
