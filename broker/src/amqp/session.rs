//! What one subscription holds on one connection: channels, each with one consumer.

use std::{pin::Pin, sync::Arc, task::Poll};

use futures_util::{Stream, StreamExt};
use lapin::{
    message::Delivery,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
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

#[derive(Debug)]
pub(super) struct Session {
    link: Arc<Link>,
    lanes: Vec<Lane>,
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
        link.declare_for_consumer(queue).await?;
        let opened = Self::lanes(&link, subscription).await;
        if opened.is_err() {
            // Whatever was believed to be there may have been deleted meanwhile.
            link.declared.forget(&queue.name);
        }
        Ok(Self { lanes: opened?, link })
    }

    async fn lanes(link: &Link, subscription: &Subscription) -> Result<Vec<Lane>, Fault> {
        let name = &subscription.queue.name;
        let mut lanes = vec![Lane::open(link, name.as_str(), subscription.prefetch, false).await?];
        if has_companions(name) {
            lanes.push(Lane::open(link, &suspect_name(name), 1, true).await?);
        }
        Ok(lanes)
    }

    pub(super) fn is_alive(&self) -> bool {
        self.link.is_alive() && self.lanes.iter().all(|lane| lane.channel.is_alive())
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn into_lanes(self) -> Vec<Lane> {
        self.lanes
    }

    /// The next delivery of any lane, or why there will be none.
    pub(super) fn poll_next(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> Poll<Result<(Delivery, Arc<AckChannel>, bool), String>> {
        for lane in &mut self.lanes {
            match Pin::new(&mut lane.consumer).poll_next(context) {
                Poll::Pending => {}
                Poll::Ready(Some(Ok(delivery))) => {
                    return Poll::Ready(Ok((delivery, lane.channel.clone(), lane.suspects)));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.to_string())),
                Poll::Ready(None) => return Poll::Ready(Err("the broker cancelled the consumer".into())),
            }
        }
        Poll::Pending
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
