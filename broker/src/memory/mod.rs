//! Queues in this process's memory, for tests. Delays follow tokio's time, paused or not; nothing survives the process.

mod consumer;
mod process;
mod queue;
mod store;

use std::sync::Arc;

use async_trait::async_trait;

use self::{consumer::MemoryConsumer, process::Process, store::Store};
use crate::{
    Clock, Consumer, Error, Message, Queue, QueueInfo, QueueName, Transport,
    transport::{Adoption, Capabilities, Destination, Finding, Subscription, Swept, Verdict},
};

/// Queues in this process's memory.
#[derive(Debug)]
pub struct MemoryTransport {
    process: Arc<Process>,
    clock: Clock,
}

impl MemoryTransport {
    /// No queues yet.
    pub fn new() -> Self {
        let process = Arc::new(Process::new(Arc::<Store>::default()));
        Self { process, clock: if in_runtime() { Clock::tokio() } else { Clock::system() } }
    }

    /// The same queues as one more process would see them: what one of the two holds comes back when it is closed.
    pub fn another_process(&self) -> Self {
        Self { process: Arc::new(Process::new(self.process.store.clone())), clock: self.clock }
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
        self.process.check_open()
    }

    async fn declare(&self, queue: &Queue) -> Result<Adoption, Error> {
        self.process.check_open()?;
        self.process.store.declare(&queue.name);
        self.process.store.declare(&queue.name.dead()?);
        Ok(Adoption::AsDeclared)
    }

    async fn publish(&self, to: Destination, message: Message) -> Result<(), Error> {
        self.process.check_open()?;
        self.process.store.publish(to, message);
        Ok(())
    }

    async fn consume(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, Error> {
        self.declare(&subscription.queue).await?;
        Ok(Box::new(MemoryConsumer::new(self.process.clone(), subscription)))
    }

    async fn queues(&self) -> Result<Option<Vec<QueueInfo>>, Error> {
        self.process.check_open()?;
        let store = &self.process.store;
        Ok(Some(store.names().iter().filter_map(|name| store.info(name)).collect()))
    }

    async fn queue(&self, name: &QueueName) -> Result<Option<QueueInfo>, Error> {
        self.process.check_open()?;
        Ok(self.process.store.info(name))
    }

    async fn purge(&self, name: &QueueName) -> Result<u64, Error> {
        self.process.check_open()?;
        Ok(self.process.store.purge(name))
    }

    async fn delete(&self, name: &QueueName) -> Result<(), Error> {
        self.process.check_open()?;
        self.process.store.delete(name);
        Ok(())
    }

    async fn sweep(
        &self,
        name: &QueueName,
        limit: usize,
        visit: &mut (dyn for<'m> FnMut(&'m Message) -> Verdict + Send),
    ) -> Result<Swept, Error> {
        self.process.check_open()?;
        Ok(self.process.store.sweep(name, limit, visit))
    }

    async fn diagnose(&self, _queues: &[Queue]) -> Result<Vec<Finding>, Error> {
        self.process.check_open()?;
        Ok(Vec::new())
    }

    async fn close(&self) {
        self.process.close();
    }
}
