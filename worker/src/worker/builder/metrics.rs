use super::WorkerBuilder;
use crate::metrics::Metrics;

impl<S: Send + Sync + 'static> WorkerBuilder<S> {
    /// Counts what the worker does in these metrics, which belong to no other worker.
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics.metrics = Some(metrics.clone());
        self
    }

    /// Serves `/metrics`, `/livez`, `/readyz` and `/startupz` at this address, such as `127.0.0.1:9464`, while the worker runs;
    /// see [`Metrics::router`]. Default: nowhere.
    pub fn metrics_addr(mut self, address: impl Into<String>) -> Self {
        self.metrics.address = Some(address.into());
        self
    }
}
