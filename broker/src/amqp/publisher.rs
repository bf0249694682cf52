//! Publishing: mandatory, persistent, confirmed, within a bounded time; as many at once as there are callers.

use std::{
    borrow::Cow,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::poll_fn;
use lapin::{
    BasicProperties, Channel, Confirmation,
    message::BasicReturnMessage,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use std::task::Poll;
use tokio_util::task::TaskTracker;

use super::{
    connection::{Connector, Link},
    delay,
    errors::{Fault, cause},
    ladder::Ladder,
    returns::{Mark, Returns},
    slot::{Mortal, Slot},
    table,
};
use crate::{Error, Message, Queue, QueueName, transport::Destination};

/// For which part of a publish's time a message that the broker says no to is offered again. A quorum queue does so while it has no
/// leader: a moment after it was declared, or lost one. A queue at its limit may have room by then.
const OFFERED_AGAIN: f64 = 0.8;

#[derive(Debug)]
pub(super) struct Publisher {
    connector: Connector,
    channel: Slot<ConfirmChannel>,
    timeout: Duration,
    /// What errors show.
    address: String,
    rescues: TaskTracker,
}

/// How far a publish has come: what its end means depends on it.
#[derive(Debug)]
enum Phase {
    Connecting,
    Declaring,
    Blocked(String),
    Sent(Arc<ConfirmChannel>),
    Rejected,
}

/// Where a message goes, in AMQP's terms.
#[derive(Debug)]
struct Route {
    exchange: ShortString,
    key: ShortString,
}

impl Publisher {
    pub(super) fn new(connector: Connector, timeout: Duration, address: String) -> Self {
        Self { connector, channel: Slot::default(), timeout, address, rescues: TaskTracker::new() }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn reconnects(&self) -> u64 {
        self.connector.reconnects()
    }

    /// Publishes to a queue, which is declared first where that was not done on this connection.
    pub(super) async fn publish(self: &Arc<Self>, to: &Destination, message: &Message) -> Result<(), Error> {
        self.within_time(&to.queue, message, None, to.delay).await
    }

    /// Publishes at once to the queue of that name, a companion of `of` that is known to be there.
    pub(super) async fn publish_to_companion(
        self: &Arc<Self>,
        of: &Queue,
        name: &str,
        message: &Message,
    ) -> Result<(), Error> {
        self.within_time(of, message, Some(name), Duration::ZERO).await
    }

    async fn within_time(
        self: &Arc<Self>,
        queue: &Queue,
        message: &Message,
        companion: Option<&str>,
        delay: Duration,
    ) -> Result<(), Error> {
        let mut phase = Phase::Connecting;
        let attempt = self.attempt(queue, message, companion, delay, &mut phase);
        match tokio::time::timeout(self.timeout, attempt).await {
            Ok(result) => result,
            Err(_) => Err(match phase {
                Phase::Connecting => Fault::timed_out("connecting").into_error(&self.address),
                Phase::Declaring => Fault::timed_out("declaring the queue").into_error(&self.address),
                Phase::Blocked(message) => Error::Blocked { address: self.address.clone(), message },
                Phase::Rejected => rejected(message, &queue.name),
                Phase::Sent(channel) => {
                    // A broker that is blocked answers later, and hears of no new channel before.
                    if channel.link.blocked().is_none() {
                        channel.retire();
                    }
                    unconfirmed(message, &queue.name, std::io::Error::from(std::io::ErrorKind::TimedOut))
                }
            }),
        }
    }

    async fn attempt(
        self: &Arc<Self>,
        queue: &Queue,
        message: &Message,
        companion: Option<&str>,
        delay: Duration,
        phase: &mut Phase,
    ) -> Result<(), Error> {
        let began = Instant::now();
        let ladder = Ladder::of(message.priority());
        let delayed = (!delay.is_zero()).then_some(ladder);
        let (mut retried, mut rejected) = (false, false);
        loop {
            if !rejected {
                *phase = Phase::Connecting;
            }
            let channel = self.channel().await.map_err(|fault| fault.into_error(&self.address))?;
            let link = &channel.link;
            let ready = link.declared.ready(&queue.name, delayed);
            if ready.is_none() && !rejected {
                *phase = Phase::Declaring;
            }
            let levels = match ready {
                Some(levels) => levels,
                // Boxed, as below: every publish in flight would have to have room for what is hardly ever done.
                None => match Box::pin(link.declare(queue, delayed)).await {
                    Ok(work) => work.levels,
                    Err(_) if !link.is_alive() && !retried => {
                        retried = true;
                        continue;
                    }
                    Err(fault) => return Err(fault.into_error(&self.address)),
                },
            };
            if let Some(reason) = link.blocked() {
                *phase = Phase::Blocked(reason);
                Box::pin(link.unblocked()).await;
            }
            let properties = table::properties(message, link.frame_max()).map_err(|fault| Error::Encode {
                task: message.task().unwrap_or("?").to_owned(),
                source: cause(fault),
            })?;
            let name = match companion {
                Some(name) => Cow::Borrowed(name),
                None => levels.name(&queue.name, message.priority()),
            };
            let route = route(&name, ladder, delay);
            *phase = Phase::Sent(channel.clone());
            match channel.send(route, properties, &message.body, &mut |stray| self.rescue(stray)).await {
                Ok(Receipt::Taken) => return Ok(()),
                Ok(Receipt::Rejected) => {
                    if began.elapsed() >= self.timeout.mul_f64(OFFERED_AGAIN) {
                        return Err(self::rejected(message, &queue.name));
                    }
                    rejected = true;
                    *phase = Phase::Rejected;
                    Box::pin(tokio::time::sleep(Duration::from_millis(rand::random_range(20..60)))).await;
                }
                Ok(Receipt::Returned) => {
                    // Whoever tries again finds it declared again.
                    link.declared.forget(&queue.name);
                    if delayed.is_some() {
                        link.declared.forget_delays();
                    }
                    return Err(Error::Unroutable { id: message.id(), queue: queue.name.clone() });
                }
                // The connection was found dead before anything was sent.
                Err(SendFault::NotSent(_)) if !retried => retried = true,
                Err(SendFault::NotSent(error)) => return Err(Fault::from(error).into_error(&self.address)),
                Err(SendFault::NotConfirmed(error)) => {
                    // A level that is gone shows as a channel that the broker closes.
                    if delayed.is_some() && link.is_alive() {
                        link.declared.forget_delays();
                    }
                    return Err(unconfirmed(message, &queue.name, error));
                }
            }
        }
    }

    async fn channel(&self) -> Result<Arc<ConfirmChannel>, Fault> {
        if let Some(channel) = self.channel.peek() {
            return Ok(channel);
        }
        Box::pin(self.channel.get(|| async { ConfirmChannel::open(self.connector.link().await?).await })).await
    }

    /// Publishes again what came back after its caller had been told that the broker has it. See [`Returns`].
    fn rescue(self: &Arc<Self>, stray: BasicReturnMessage) {
        let (name, delay) = match delay::parse(stray.delivery.routing_key.as_str()) {
            Some((name, delay)) if !stray.delivery.exchange.as_str().is_empty() => (name.to_owned(), delay),
            _ => (stray.delivery.routing_key.to_string(), Duration::ZERO),
        };
        let message = table::message(&stray.delivery.properties, stray.delivery.data);
        let publisher = self.clone();
        self.rescues.spawn(async move {
            let link = publisher.connector.link().await.ok();
            let queue = link.as_ref().and_then(|link| link.declared.known(&name));
            let Some(queue) = queue.or_else(|| Queue::new(&name).ok()) else { return };
            if let Some(link) = link {
                link.declared.forget(&queue.name);
            }
            let id = message.id();
            match publisher.publish(&Destination::after(queue, delay), &message).await {
                Ok(()) => tracing::warn!(task_id = id.as_str(), queue = name, "its queue was gone for a moment; published again"),
                Err(error) => {
                    tracing::error!(task_id = id.as_str(), queue = name, %error, "its queue is gone, and so is the message");
                }
            }
        });
    }

    /// Forgets that a queue was declared.
    pub(super) fn forget(&self, name: &QueueName) {
        if let Some(channel) = self.channel.peek() {
            channel.link.declared.forget(name);
        }
    }

    pub(super) async fn close(&self) {
        self.rescues.close();
        let _ = tokio::time::timeout(self.timeout, self.rescues.wait()).await;
        self.channel.clear();
        self.connector.close().await;
    }
}

fn route(queue: &str, ladder: Ladder, delay: Duration) -> Route {
    let (exchange, key) = delay::route(ladder, delay, queue).unwrap_or_else(|| (String::new(), queue.to_owned()));
    Route { exchange: exchange.into(), key: key.into() }
}

fn rejected(message: &Message, queue: &QueueName) -> Error {
    Error::Nacked { id: message.id(), queue: queue.clone() }
}

fn unconfirmed(message: &Message, queue: &QueueName, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Unconfirmed { id: message.id(), queue: queue.clone(), source: cause(source) }
}

/// A channel on which the broker confirms what it has.
struct ConfirmChannel {
    link: Arc<Link>,
    channel: Channel,
    /// The client numbers a publish and queues its frames in two steps. Two threads between them would swap their
    /// confirmations, so the first poll of each publish, which does both, is taken one at a time.
    turn: Mutex<()>,
    returns: Returns,
    /// Whether a confirmation did not come in time. Those under way on it still wait for theirs; the next publish takes another channel:
    /// what the broker keeps for this one may never answer again.
    retired: AtomicBool,
}

impl std::fmt::Debug for ConfirmChannel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfirmChannel").field("alive", &self.is_alive()).finish_non_exhaustive()
    }
}

impl Mortal for ConfirmChannel {
    fn is_alive(&self) -> bool {
        !self.retired.load(Ordering::Relaxed) && self.channel.status().connected() && self.link.is_alive()
    }
}

/// What the broker said to a publish.
#[derive(Debug)]
enum Receipt {
    Taken,
    Rejected,
    Returned,
}

enum SendFault {
    /// No whole message left this process.
    NotSent(lapin::Error),
    /// It left, and the connection broke before the broker said anything.
    NotConfirmed(lapin::Error),
}

impl ConfirmChannel {
    async fn open(link: Arc<Link>) -> Result<Self, Fault> {
        let channel = link.channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let (turn, returns, retired) = (Mutex::default(), Returns::default(), AtomicBool::new(false));
        Ok(Self { link, channel, turn, returns, retired })
    }

    fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    async fn send(
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
