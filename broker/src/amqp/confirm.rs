//! A channel on which the broker confirms what it has.

use std::{
    pin::pin,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    task::Poll,
};

use futures_util::future::poll_fn;
use lapin::{
    BasicProperties, Channel, Confirmation,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use tokio::time::Instant;

use super::{
    connection::Link,
    errors::Fault,
    returns::{Mark, Returns},
    slot::Mortal,
};

/// Where a message goes, in AMQP's terms.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) exchange: ShortString,
    pub(super) key: ShortString,
}

impl Route {
    /// The queue that it comes to first. A delay's exchange has the name of its queue.
    pub(super) fn place(&self) -> &str {
        if self.exchange.as_str().is_empty() { self.key.as_str() } else { self.exchange.as_str() }
    }
}

/// What the broker said to a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receipt {
    Taken,
    Rejected,
    Returned,
}

#[derive(Debug)]
pub(super) enum SendFault {
    /// No whole message left this process.
    NotSent(lapin::Error),
    /// It left, and the connection broke before the broker said anything.
    NotConfirmed(lapin::Error),
}

/// A channel on which the broker confirms what it has.
pub(super) struct ConfirmChannel {
    pub(super) link: Arc<Link>,
    channel: Channel,
    /// The client numbers a publish and queues its frames in two steps. Two threads between them would swap their
    /// confirmations, so the first poll of each publish, which does both, is taken one at a time.
    turn: Mutex<()>,
    returns: Returns,
    /// When a confirmation did not come in time. Those under way on it still wait for theirs; the next publish takes another channel:
    /// what the broker keeps for this one may never answer again.
    retired: OnceLock<Instant>,
}

impl std::fmt::Debug for ConfirmChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfirmChannel").field("alive", &self.is_alive()).finish_non_exhaustive()
    }
}

impl Mortal for ConfirmChannel {
    fn is_alive(&self) -> bool {
        self.retired.get().is_none() && self.channel.status().connected() && self.link.is_alive()
    }
}

impl ConfirmChannel {
    pub(super) async fn open(link: Arc<Link>) -> Result<Self, Fault> {
        let channel = link.channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let (turn, returns, retired) = (Mutex::default(), Returns::default(), OnceLock::new());
        Ok(Self { link, channel, turn, returns, retired })
    }

    /// Takes no more publishes; returns since when.
    pub(super) fn retire(&self) -> Instant {
        *self.retired.get_or_init(Instant::now)
    }

    pub(super) async fn send(
        &self,
        route: Route,
        properties: BasicProperties,
        body: &[u8],
        stray: &mut (dyn FnMut(BasicReturnMessage) + Send),
    ) -> Result<Receipt, SendFault> {
        let mark = Mark::new(route.key.as_str(), &properties);
        let in_flight = self.returns.begin(mark);
        let options = BasicPublishOptions { mandatory: true, immediate: false };
        let mut sending = pin!(self.channel.basic_publish(route.exchange, route.key, options, body, properties));
        let first = poll_fn(|context| {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            Poll::Ready(sending.as_mut().poll(context))
        });
        let sent = match first.await {
            Poll::Ready(sent) => sent,
            Poll::Pending => sending.await,
        };
        let confirmation = sent.map_err(SendFault::NotSent)?.await.map_err(SendFault::NotConfirmed)?;
        let (taken, returned) = match confirmation {
            Confirmation::Ack(returned) => (true, returned),
            Confirmation::Nack(returned) => (false, returned),
            // Confirms were selected when the channel was opened.
            Confirmation::NotRequested => (true, None),
        };
        if let Some(returned) = returned {
            let whose = Mark::new(returned.delivery.routing_key.as_str(), &returned.delivery.properties);
            if whose == mark {
                return Ok(Receipt::Returned);
            }
            if !self.returns.tell(whose) {
                stray(returned);
            }
        }
        Ok(match taken {
            _ if in_flight.was_returned() => Receipt::Returned,
            true => Receipt::Taken,
            false => Receipt::Rejected,
        })
    }
}
