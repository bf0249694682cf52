//! Stands in for the module of that name where the feature `metrics` is off: nothing is counted.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use celeriac_broker::{Broker, Consumer, Delivery, Error as BrokerError, Outcome, QueueName, Reason};

use crate::{Error, execution::Original, leases::Home, registry::Registry, shared::Shared, worker::PoolSpec};

#[derive(Debug, Default, Clone)]
pub(crate) struct Setup {}

#[derive(Debug, Default)]
pub(crate) struct Meter;

#[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "the same signatures as where something is done")]
impl Setup {
    pub(crate) fn meter<S>(
        self,
        _registry: &Registry<S>,
        _pools: &[PoolSpec],
        _broker: &Broker,
        _home: Option<&Home>,
    ) -> Result<Meter, Error> {
        Ok(Meter)
    }
}

#[expect(clippy::unused_self, clippy::unused_async, reason = "the same signatures as where something is done")]
impl Meter {
    pub(crate) async fn begin<S>(&self, _shared: &Arc<Shared<S>>) -> Result<Begun, Error> {
        Ok(Begun)
    }

    pub(crate) fn started(&self) {}

    pub(crate) fn pool(&self, _spec: &PoolSpec) -> Slots {
        Slots
    }

    pub(crate) fn watch(&self, _queue: &QueueName, consumer: Box<dyn Consumer>) -> Watched {
        Watched(consumer)
    }

    pub(crate) fn received(&self, _delivery: &Delivery, _now: SystemTime) {}

    pub(crate) fn ran(&self, _task: &str, _elapsed: Duration) {}

    pub(crate) fn settling(&self, _original: &Original, _outcome: Outcome, _reason: Reason) -> Settling {
        Settling
    }

    pub(crate) fn ack_lost(&self) {}

    pub(crate) fn repeated(&self, _error: &BrokerError) {}
}

/// A consumer as it is.
#[derive(Debug)]
pub(crate) struct Watched(Box<dyn Consumer>);

impl Watched {
    pub(crate) async fn next(&mut self) -> Option<Delivery> {
        self.0.next().await
    }

    pub(crate) async fn stop(&mut self) {
        self.0.stop().await;
    }
}

/// Nothing that runs.
#[derive(Debug)]
pub(crate) struct Begun;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Settling;

#[expect(clippy::unused_self, reason = "the same signature as where something is done")]
impl Settling {
    pub(crate) fn done(self) {}
}

#[derive(Debug, Clone)]
pub(crate) struct Slots;

#[derive(Debug)]
pub(crate) struct Taken;

#[expect(clippy::unused_self, reason = "the same signature as where something is done")]
impl Slots {
    pub(crate) fn take(&self) -> Taken {
        Taken
    }
}
