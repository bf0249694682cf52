use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use celeriac_broker::{Consumer, Delivery};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often a consumer that is given nothing is asked whether it is registered.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A consumer that says, where others can read it, whether it is registered; if anybody wants to know.
///
/// Not a [`Consumer`] itself, as one more future in a box for each delivery is a good part of what metrics cost.
#[derive(Debug)]
pub(crate) struct Watched {
    consumer: Box<dyn Consumer>,
    watch: Option<Watch>,
}

#[derive(Debug)]
struct Watch {
    connected: Arc<AtomicBool>,
    looks: Interval,
}

impl Watched {
    /// Nobody wants to know.
    pub(super) fn unseen(consumer: Box<dyn Consumer>) -> Self {
        Self { consumer, watch: None }
    }

    pub(super) fn new(consumer: Box<dyn Consumer>) -> (Self, Arc<AtomicBool>) {
        let connected = Arc::new(AtomicBool::new(consumer.is_connected()));
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let watch = Watch { connected: connected.clone(), looks };
        (Self { consumer, watch: Some(watch) }, connected)
    }

    /// As the consumer's.
    pub(crate) async fn next(&mut self) -> Option<Delivery> {
        let Some(Watch { connected, looks }) = &mut self.watch else { return self.consumer.next().await };
        loop {
            tokio::select! {
                biased;
                // A delivery that is ready asks no clock.
                delivery = self.consumer.next() => {
                    connected.store(delivery.is_some(), Ordering::Relaxed);
                    return delivery;
                }
                _ = looks.tick() => {}
            }
            connected.store(self.consumer.is_connected(), Ordering::Relaxed);
        }
    }

    /// As the consumer's.
    pub(crate) async fn stop(&mut self) {
        self.consumer.stop().await;
    }
}
