//! What all runs of one worker share.

use std::{collections::HashMap, sync::Arc};

use celeriac_broker::{Broker, QueueName, RetryPolicy, TaskOptions};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    Middleware, harness::Record, leases::Home, metrics::Meter, registry::Registry, running::Running, tally::Counters,
};

/// What all runs of one worker share.
pub(crate) struct Shared<S> {
    pub(crate) broker: Broker,
    pub(crate) state: Arc<S>,
    pub(crate) registry: Registry<S>,
    pub(crate) middleware: Vec<Arc<dyn Middleware<S>>>,
    pub(crate) queue_defaults: HashMap<QueueName, TaskOptions>,
    pub(crate) max_deliveries: u32,
    /// Where leases are kept; `None` where nobody has said.
    pub(crate) home: Option<Arc<Home>>,
    pub(crate) running: Running<S>,
    pub(crate) counters: Counters,
    pub(crate) stop: Stop,
    /// What is counted for metrics.
    pub(crate) meter: Meter,
    /// Where a test kit keeps what became of each delivery.
    pub(crate) records: Option<mpsc::UnboundedSender<Record>>,
}

/// The three steps of stopping.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    /// Fetch no more.
    pub(crate) fetching: CancellationToken,
    /// Tell the handlers that still run.
    pub(crate) last_call: CancellationToken,
    /// Drop them, and give their messages back.
    pub(crate) abort: CancellationToken,
}

impl<S> Shared<S> {
    /// The options of a task in a queue: its own, then the queue's.
    pub(crate) fn options(&self, own: &TaskOptions, queue: &QueueName) -> TaskOptions {
        match self.queue_defaults.get(queue) {
            Some(defaults) => own.or(*defaults),
            None => *own,
        }
    }
}

/// The policy of options that may name none.
pub(crate) fn policy(options: &TaskOptions) -> RetryPolicy {
    options.retry.unwrap_or(RetryPolicy::DEFAULT)
}
