//! What one subscription holds on one connection: channels, each with one consumer.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use lapin::{
    message::Delivery,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions},
    types::{FieldTable, ShortString},
};

use super::{
    acker::AckChannel,
    connection::{Connector, Link},
    errors::Fault,
    slot::Mortal,
    topology::{has_companions, suspect_name},
};
use crate::transport::Subscription;

/// How often a session looks whether the broker still serves it.
///
/// A queue that is deleted and declared again at once leaves consumers that the broker has forgotten and never told.
const CHECK_EVERY: Duration = Duration::from_secs(5);

pub(super) struct Session {
    link: Arc<Link>,
    lanes: Vec<Lane>,
    /// Whether the queue's messages are in several queues, so that the broker does not bound what is fetched of them in all.
    levelled: bool,
    /// Ends with a reason to begin anew.
    check: Pin<Box<dyn Future<Output = String> + Send>>,
}

/// One consumer on a channel of its own.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) suspects: bool,
    pub(super) channel: Arc<AckChannel>,
    consumer: lapin::Consumer,
}

impl Session {
    /// Connects where need be, declares what the subscription needs, and begins to consume.
    pub(super) async fn open(connector: &Connector, subscription: &Subscription) -> Result<Self, Fault> {
        let link = connector.link().await?;
        let queue = &subscription.queue;
        let levels = link.declare_for_consumer(queue).await?.levels;
        let mut names: Vec<String> = levels.names(&queue.name).map(String::from).collect();
        let levelled = names.len() > 1;
        let mut lanes = Vec::with_capacity(names.len() + 1);
        let opened = async {
            for name in &names {
                lanes.push(Lane::open(&link, name, subscription.prefetch, false).await?);
            }
            if has_companions(&queue.name) {
                let name = suspect_name(&queue.name);
                lanes.push(Lane::open(&link, &name, 1, true).await?);
                names.push(name);
            }
            Ok(())
        };
        if let Err(fault) = opened.await {
            // Whatever was believed to be there may have been deleted meanwhile.
            link.declared.forget(&queue.name);
            return Err(fault);
        }
        let channels = names.into_iter().zip(lanes.iter().map(|lane| lane.channel.clone())).collect();
        let check = Box::pin(check(link.clone(), channels));
        Ok(Self { link, lanes, levelled, check })
    }

    pub(super) fn is_alive(&self) -> bool {
        self.link.is_alive() && self.lanes.iter().all(|lane| lane.channel.is_alive())
    }

    pub(super) fn is_levelled(&self) -> bool {
        self.levelled
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn into_lanes(self) -> Vec<Lane> {
        self.lanes
    }

    /// The next delivery with the number of its lane, or why there will be none.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<(Delivery, usize), String>> {
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            match Pin::new(&mut lane.consumer).poll_next(context) {
                Poll::Pending => {}
                Poll::Ready(Some(Ok(delivery))) => return Poll::Ready(Ok((delivery, number))),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.to_string())),
                Poll::Ready(None) => return Poll::Ready(Err("the broker cancelled the consumer".into())),
            }
        }
        self.check.as_mut().poll(context).map(Err)
    }

    /// The lanes, the highest priority first, the suspects' last.
    pub(super) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }
}

/// Looks from time to time whether messages lie in a queue that this consumer, with nothing in hand, is not given.
async fn check(link: Arc<Link>, lanes: Vec<(String, Arc<AckChannel>)>) -> String {
    let mut before: Vec<Option<u64>> = vec![None; lanes.len()];
    loop {
        tokio::time::sleep(CHECK_EVERY).await;
        // A lost connection shows in the lanes.
        let Ok(channel) = link.channel().await else { continue };
        for ((name, lane), before) in lanes.iter().zip(&mut before) {
            let passive = QueueDeclareOptions::durable().passive();
            let looked = channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await;
            let Ok(queue) = looked else { return format!("the queue {name} is gone") };
            if queue.consumer_count() == 0 {
                return format!("the broker does not know this consumer of {name} any more");
            }
            let starving = (queue.message_count() > 0 && lane.unsettled() == 0).then(|| lane.deliveries());
            if starving.is_some() && starving == *before {
                return format!("messages lie in {name} and are not delivered");
            }
            *before = starving;
        }
    }
}

impl Lane {
    async fn open(link: &Link, queue: &str, prefetch: u16, suspects: bool) -> Result<Self, Fault> {
        let channel = link.channel().await?;
        channel.basic_qos(prefetch.max(1), BasicQosOptions { global: false }).await?;
        let (options, tag) = (BasicConsumeOptions::default(), ShortString::default());
        let consumer = channel.basic_consume(queue.into(), tag, options, FieldTable::default()).await?;
        Ok(Self { suspects, channel: Arc::new(AckChannel::new(channel)), consumer })
    }

    /// Tells the broker to send no more, and hands out what it had sent.
    pub(super) async fn cancel(&mut self) -> Vec<Delivery> {
        let tag = self.consumer.tag();
        if self.channel.channel().basic_cancel(tag, BasicCancelOptions::default()).await.is_err() {
            return Vec::new();
        }
        let mut fetched = Vec::new();
        while let Some(Ok(delivery)) = self.consumer.next().await {
            fetched.push(delivery);
        }
        fetched
    }
}
