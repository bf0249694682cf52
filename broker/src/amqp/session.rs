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
    acker::{AckChannel, Acks},
    connection::{Connector, Link},
    errors::Fault,
    ladder::Ladder,
    slot::Mortal,
    topology::{has_companions, suspect_name},
};
use crate::{Queue, transport::Subscription};

/// How often a session looks whether the broker still serves it.
///
/// A queue that is deleted and declared again at once leaves consumers that the broker has forgotten and never told.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// How long the suspects' queue may take to answer, each time it is asked.
const SUSPECTS_TIMEOUT: Duration = Duration::from_secs(10);

/// How long no acknowledgement is sent before a consumer is cancelled.
const QUIET: Duration = Duration::from_millis(100);

pub(super) struct Session {
    link: Arc<Link>,
    lanes: Vec<Lane>,
    /// Whether the queue's messages are in several queues, so that the broker does not bound what is fetched of them in all.
    levelled: bool,
    /// The lane of the suspects, until it is open. The others do not wait for it: a quorum queue that lost its leader answers
    /// nobody, and this one's must not hold up the work.
    suspects: Option<Pin<Box<dyn Future<Output = Lane> + Send>>>,
}

/// One consumer on a channel of its own.
pub(super) struct Lane {
    pub(super) suspects: bool,
    pub(super) channel: Arc<AckChannel>,
    consumer: lapin::Consumer,
    /// Ends with a reason to begin anew.
    check: Pin<Box<dyn Future<Output = String> + Send>>,
}

impl Session {
    /// Connects where need be, declares what the subscription needs, and begins to consume.
    pub(super) async fn open(
        connector: &Connector,
        acks: &Arc<Acks>,
        subscription: &Subscription,
    ) -> Result<Self, Fault> {
        let link = connector.link().await?;
        let queue = &subscription.queue;
        let levels = link.declare(queue, Some(Ladder::Usual)).await?.levels;
        let mut lanes = Vec::new();
        for name in levels.names(&queue.name) {
            match Lane::open(&link, acks, &name, subscription.prefetch, false).await {
                Ok(lane) => lanes.push(lane),
                Err(fault) => {
                    // Whatever was believed to be there may have been deleted meanwhile.
                    link.declared.forget(&queue.name);
                    return Err(fault);
                }
            }
        }
        let suspects = has_companions(&queue.name).then(|| -> Pin<Box<dyn Future<Output = Lane> + Send>> {
            Box::pin(open_suspects(link.clone(), acks.clone(), queue.clone()))
        });
        Ok(Self { link, levelled: lanes.len() > 1, lanes, suspects })
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
        if let Some(opening) = &mut self.suspects
            && let Poll::Ready(lane) = opening.as_mut().poll(context)
        {
            self.suspects = None;
            self.lanes.push(lane);
        }
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            match Pin::new(&mut lane.consumer).poll_next(context) {
                Poll::Pending => {}
                Poll::Ready(Some(Ok(delivery))) => return Poll::Ready(Ok((delivery, number))),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.to_string())),
                Poll::Ready(None) => return Poll::Ready(Err("the broker cancelled the consumer".into())),
            }
        }
        let lost = self.lanes.iter_mut().find_map(|lane| match lane.check.as_mut().poll(context) {
            Poll::Ready(reason) => Some(reason),
            Poll::Pending => None,
        });
        lost.map_or(Poll::Pending, |reason| Poll::Ready(Err(reason)))
    }

    /// The lanes, the highest priority first, the suspects' last.
    pub(super) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }
}

/// Tries until it succeeds, or until its session is dropped.
async fn open_suspects(link: Arc<Link>, acks: Arc<Acks>, queue: Queue) -> Lane {
    let name = suspect_name(&queue.name);
    loop {
        let opening = async {
            link.declare_suspects(&queue).await?;
            Lane::open(&link, &acks, &name, 1, true).await
        };
        match tokio::time::timeout(SUSPECTS_TIMEOUT, opening).await {
            Ok(Ok(lane)) => return lane,
            // The other lanes know as well.
            Ok(Err(_)) if !link.is_alive() => {}
            Ok(Err(fault)) => tracing::warn!(queue = name, %fault, "can't be consumed; trying on"),
            Err(_) => tracing::warn!(queue = name, "can't be consumed: it does not answer; trying on"),
        }
        link.declared.forget(&queue.name);
        tokio::time::sleep(CHECK_EVERY).await;
    }
}

/// Looks from time to time whether messages lie in a queue that this consumer, with nothing in hand, is not given.
async fn check(link: Arc<Link>, name: ShortString, lane: Arc<AckChannel>) -> String {
    let mut before = None;
    loop {
        tokio::time::sleep(CHECK_EVERY).await;
        // A lost connection shows in the lanes.
        let Ok(channel) = link.channel().await else { continue };
        let passive = QueueDeclareOptions::durable().passive();
        let Ok(queue) = channel.queue_declare(name.clone(), passive, FieldTable::default()).await else {
            return format!("the queue {name} is gone");
        };
        if queue.consumer_count() == 0 {
            return format!("the broker does not know this consumer of {name} any more");
        }
        let starving = (queue.message_count() > 0 && lane.unsettled() == 0).then(|| lane.deliveries());
        if starving.is_some() && starving == before {
            return format!("messages lie in {name} and are not delivered");
        }
        before = starving;
    }
}

impl Lane {
    async fn open(link: &Arc<Link>, acks: &Acks, queue: &str, prefetch: u16, suspects: bool) -> Result<Self, Fault> {
        let (channel, name) = (link.channel().await?, ShortString::from(queue));
        channel.basic_qos(prefetch.max(1), BasicQosOptions { global: false }).await?;
        let (options, tag) = (BasicConsumeOptions::default(), ShortString::default());
        let consumer = channel.basic_consume(name.clone(), tag, options, FieldTable::default()).await?;
        let channel = Arc::new(AckChannel::new(channel, acks));
        let check = Box::pin(check(link.clone(), name, channel.clone()));
        Ok(Self { suspects, channel, consumer, check })
    }

    /// Tells the broker to send no more, and hands out what it had sent.
    ///
    /// A delivery that is under way within the broker when it hears of this reaches nobody, and counts as a death later. Each
    /// acknowledgement sets one on its way, so there are none for a moment.
    pub(super) async fn cancel(&mut self) -> Vec<Delivery> {
        let tag = self.consumer.tag();
        let lane = self.channel.clone();
        let _held = lane.hold().await;
        tokio::time::sleep(QUIET).await;
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
