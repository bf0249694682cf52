use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::store::Store;
use crate::{
    Consumer, Delivery, Error, Message, QueueName, TaskId,
    message::names,
    transport::{Destination, Settle, Subscription},
};

#[derive(Debug)]
pub(super) struct MemoryConsumer {
    store: Arc<Store>,
    subscription: Subscription,
    unsettled: Arc<Semaphore>,
    stopped: AtomicBool,
}

impl MemoryConsumer {
    pub(super) fn new(store: Arc<Store>, subscription: Subscription) -> Self {
        store.attach(&subscription.queue.name, true);
        let unsettled = Arc::new(Semaphore::new(subscription.prefetch.into()));
        Self { store, subscription, unsettled, stopped: AtomicBool::new(false) }
    }
}

impl Drop for MemoryConsumer {
    fn drop(&mut self) {
        self.store.attach(&self.subscription.queue.name, false);
    }
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        // The semaphore is never closed.
        let permit = self.unsettled.clone().acquire_owned().await.ok()?;
        let name = &self.subscription.queue.name;
        loop {
            let changed = self.store.changed();
            if self.stopped.load(Ordering::Relaxed) || self.store.is_closed() {
                return None;
            }
            match self.store.claim(name) {
                Ok((sequence, entry)) => {
                    let earlier = entry.message.headers.int(names::DELIVERIES).and_then(|n| u32::try_from(n).ok());
                    let deliveries = entry.deliveries.saturating_add(earlier.unwrap_or(0)).saturating_add(1);
                    let settle = MemorySettle {
                        store: self.store.clone(),
                        queue: name.clone(),
                        id: entry.message.id(),
                        sequence: Some(sequence),
                        _permit: permit,
                    };
                    return Some(Delivery::new(
                        entry.message,
                        self.subscription.queue.clone(),
                        deliveries,
                        Box::new(settle),
                    ));
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
        !self.stopped.load(Ordering::Relaxed) && !self.store.is_closed()
    }
}

#[derive(Debug)]
struct MemorySettle {
    store: Arc<Store>,
    queue: QueueName,
    id: TaskId,
    sequence: Option<u64>,
    _permit: OwnedSemaphorePermit,
}

impl MemorySettle {
    fn settle(&mut self, copy: Option<(Destination, Message)>) -> Result<(), Error> {
        let settled = self.sequence.take().is_some_and(|sequence| self.store.settle(&self.queue, sequence, copy));
        if settled { Ok(()) } else { Err(Error::DeliveryLost { id: self.id.clone() }) }
    }
}

/// A delivery dropped unsettled is what a worker's death looks like here: it comes back, counted.
impl Drop for MemorySettle {
    fn drop(&mut self) {
        if let Some(sequence) = self.sequence.take() {
            self.store.unclaim(&self.queue, sequence, true);
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
