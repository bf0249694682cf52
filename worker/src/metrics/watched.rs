use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use celeriac_broker::{Consumer, Delivery};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often a consumer that is given nothing is asked whether it is registered.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A consumer that says, where others can read it, whether it is registered.
#[derive(Debug)]
pub(super) struct Watched {
    consumer: Box<dyn Consumer>,
    connected: Arc<AtomicBool>,
    looks: Interval,
}

impl Watched {
    pub(super) fn new(consumer: Box<dyn Consumer>) -> (Self, Arc<AtomicBool>) {
        let connected = Arc::new(AtomicBool::new(consumer.is_connected()));
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        (Self { consumer, connected: connected.clone(), looks }, connected)
    }
}

#[async_trait]
impl Consumer for Watched {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            tokio::select! {
                biased;
                // A delivery that is ready asks no clock.
                delivery = self.consumer.next() => {
                    self.connected.store(delivery.is_some(), Ordering::Relaxed);
                    return delivery;
                }
                _ = self.looks.tick() => {}
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
