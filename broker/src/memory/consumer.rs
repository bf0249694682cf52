use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::process::Process;
use crate::{
    Consumer, Delivery, Error, Message, QueueName, TaskId,
    transport::{Destination, Settle, Subscription},
};

#[derive(Debug)]
pub(super) struct MemoryConsumer {
    process: Arc<Process>,
    subscription: Subscription,
    unsettled: Arc<Semaphore>,
    stopped: AtomicBool,
}

impl MemoryConsumer {
    pub(super) fn new(process: Arc<Process>, subscription: Subscription) -> Self {
        process.store.attach(&subscription.queue.name);
        let unsettled = Arc::new(Semaphore::new(subscription.prefetch.max(1).into()));
        Self { process, subscription, unsettled, stopped: AtomicBool::new(false) }
    }

    fn has_ended(&self) -> bool {
        self.stopped.load(Ordering::Relaxed) || self.process.is_closed()
    }
}

impl Drop for MemoryConsumer {
    fn drop(&mut self) {
        self.process.store.detach(&self.subscription.queue.name);
    }
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        let name = &self.subscription.queue.name;
        loop {
            let changed = self.process.store.changed();
            if self.has_ended() {
                return None;
            }
            let permit = tokio::select! {
                // The semaphore is never closed.
                permit = self.unsettled.clone().acquire_owned() => permit.ok()?,
                () = changed => continue,
            };
            let changed = self.process.store.changed();
            match self.process.store.claim(name, self.process.id, self.subscription.isolate_after) {
                Ok(claimed) => {
                    let settle = MemorySettle {
                        process: self.process.clone(),
                        queue: name.clone(),
                        id: claimed.message.id(),
                        claim: Some(claimed.claim),
                        _permit: permit,
                    };
                    let queue = self.subscription.queue.clone();
                    return Some(Delivery::new(claimed.message, queue, claimed.deliveries, Box::new(settle)));
                }
                Err(Some(due)) => {
                    let _ = tokio::time::timeout_at(due, changed).await;
                }
                Err(None) => changed.await,
            }
        }
    }

    async fn stop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    fn is_connected(&self) -> bool {
        !self.has_ended()
    }
}

#[derive(Debug)]
struct MemorySettle {
    process: Arc<Process>,
    queue: QueueName,
    id: TaskId,
    claim: Option<u64>,
    _permit: OwnedSemaphorePermit,
}

impl MemorySettle {
    fn settle(&mut self, copy: Option<(Destination, Message)>) -> Result<(), Error> {
        let settled = self.claim.take().is_some_and(|claim| self.process.store.settle(&self.queue, claim, copy));
        if settled { Ok(()) } else { Err(Error::DeliveryLost { id: self.id.clone() }) }
    }
}

/// A delivery dropped unsettled is what a worker's death looks like here: it comes back, counted.
impl Drop for MemorySettle {
    fn drop(&mut self) {
        if let Some(claim) = self.claim.take() {
            self.process.store.unclaim(&self.queue, claim);
        }
    }
}

#[async_trait]
impl Settle for MemorySettle {
    async fn ack(mut self: Box<Self>) -> Result<(), Error> {
        self.settle(None)
    }

    async fn replace(&mut self, to: &Destination, copy: &Message) -> Result<(), Error> {
        self.settle(Some((to.clone(), copy.clone())))
    }
}
