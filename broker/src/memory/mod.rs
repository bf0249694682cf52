//! Queues in this process's memory, for tests. Delays follow tokio's time, paused or not; nothing survives the process.

mod consumer;
mod store;

use std::sync::Arc;

use async_trait::async_trait;

use self::{consumer::MemoryConsumer, store::Store};
use crate::{
    Clock, Consumer, Error, Message, Queue, QueueInfo, QueueName, Transport,
    transport::{Adoption, Capabilities, Destination, Finding, Subscription, Swept, Verdict},
};

/// Queues in this process's memory.
#[derive(Debug)]
pub struct MemoryTransport {
    store: Arc<Store>,
    clock: Clock,
}

impl MemoryTransport {
    /// No queues yet.
    pub fn new() -> Self {
        Self { store: Arc::default(), clock: if in_runtime() { Clock::tokio() } else { Clock::system() } }
    }
}

/// Outside a runtime there is no tokio time to follow.
fn in_runtime() -> bool {
    tokio::runtime::Handle::try_current().is_ok()
}

impl Default for MemoryTransport {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new("memory", false, true)
    }

    fn clock(&self) -> Clock {
        self.clock
    }

    async fn ping(&self) -> Result<(), Error> {
        self.store.check_open()
    }

    async fn declare(&self, queue: &Queue) -> Result<Adoption, Error> {
        self.store.check_open()?;
        self.store.declare(&queue.name);
        self.store.declare(&queue.name.dead()?);
        Ok(Adoption::AsDeclared)
    }

    async fn publish(&self, to: Destination, message: Message) -> Result<(), Error> {
        self.store.check_open()?;
        self.store.push(&to.queue.name, to.delay, message, 0);
        Ok(())
    }

    async fn consume(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, Error> {
        self.declare(&subscription.queue).await?;
        Ok(Box::new(MemoryConsumer::new(self.store.clone(), subscription)))
    }

    async fn queues(&self) -> Result<Option<Vec<QueueInfo>>, Error> {
        Ok(Some(self.store.names().iter().filter_map(|name| self.store.info(name)).collect()))
    }

    async fn queue(&self, name: &QueueName) -> Result<Option<QueueInfo>, Error> {
        Ok(self.store.info(name))
    }

    async fn purge(&self, name: &QueueName) -> Result<u64, Error> {
        Ok(self.store.purge(name))
    }

    async fn delete(&self, name: &QueueName) -> Result<(), Error> {
        self.store.delete(name);
        Ok(())
    }

    async fn sweep(
        &self,
        name: &QueueName,
        limit: usize,
        visit: &mut (dyn for<'m> FnMut(&'m Message) -> Verdict + Send),
    ) -> Result<Swept, Error> {
        Ok(self.store.sweep(name, limit, visit))
    }

    async fn diagnose(&self, _queues: &[Queue]) -> Result<Vec<Finding>, Error> {
        Ok(Vec::new())
    }

    async fn close(&self) {
        self.store.close();
    }
}
