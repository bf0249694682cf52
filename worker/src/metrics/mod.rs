//! Metrics for Prometheus and health for probes: what `docs/metrics.md` lists, in a registry that is passed in.

mod book;
mod checks;
mod defs;
mod health;
mod hub;
mod meter;
mod reporter;
mod serve;
#[cfg(test)]
mod tests;
mod watched;

use std::sync::Arc;

/// The library whose registry is passed in, in the version that this crate uses.
pub use prometheus;
use prometheus::{
    Registry,
    core::{Collector, Desc},
    proto::MetricFamily,
};

use self::hub::Hub;
pub(crate) use self::{
    meter::{Meter, Setup, Slots},
    watched::Watched,
};
use crate::Error;

/// The metrics and the health of one worker; a cheap handle.
///
/// ```no_run
/// # use celeriac_worker::{Error, Pool, Worker, metrics::Metrics};
/// # async fn example() -> Result<(), Error> {
/// let registry = prometheus::Registry::new();
/// let metrics = Metrics::register(&registry)?;
/// let app = metrics.router(); // to be mounted in a service of your own, or served by `metrics_addr`
/// Worker::builder().metrics(&metrics).pool("celeriac", Pool::new(8)).build()?.run().await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Metrics {
    hub: Arc<Hub>,
    registry: Registry,
}

impl Metrics {
    /// Puts them into `registry`, each at once: whatever a worker has not begun is absent.
    ///
    /// # Errors
    /// [`Error::Config`] where the registry has metrics of these names.
    pub fn register(registry: &Registry) -> Result<Self, Error> {
        let fault = |error: prometheus::Error| Error::config("metrics", error.to_string());
        let hub = Arc::new(Hub::new().map_err(fault)?);
        registry.register(Box::new(Shown(hub.clone()))).map_err(fault)?;
        Ok(Self { hub, registry: registry.clone() })
    }

    /// The registry that they are in.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

/// The hub as a registry owns it.
#[derive(Debug)]
struct Shown(Arc<Hub>);

impl Collector for Shown {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.0.collect()
    }
}
