use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use celeriac_broker::{Consumer, Delivery};

/// How often a consumer that is given nothing is asked whether it is registered.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A consumer that says, where others can read it, whether it is registered.
#[derive(Debug)]
pub(super) struct Watched {
    consumer: Box<dyn Consumer>,
    connected: Arc<AtomicBool>,
}

impl Watched {
    pub(super) fn new(consumer: Box<dyn Consumer>) -> (Self, Arc<AtomicBool>) {
        let connected = Arc::new(AtomicBool::new(consumer.is_connected()));
        (Self { consumer, connected: connected.clone() }, connected)
    }
}

#[async_trait]
impl Consumer for Watched {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            // A delivery that is ready costs no timer.
            if let Ok(delivery) = tokio::time::timeout(LOOK_EVERY, self.consumer.next()).await {
                self.connected.store(delivery.is_some(), Ordering::Relaxed);
                return delivery;
            }
            self.connected.store(self.consumer.is_connected(), Ordering::Relaxed);
        }
    }

    async fn stop(&mut self) {
        self.consumer.stop().await;
    }

    fn is_connected(&self) -> bool {
        self.consumer.is_connected()
    }
}
