//! Publishing: mandatory, persistent, confirmed, within a bounded time; as many at once as there are callers.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};

use lapin::{BasicProperties, message::BasicReturnMessage};
use tokio_util::task::TaskTracker;

use super::{
    confirm::{ConfirmChannel, Receipt, Route, SendFault},
    connection::Connector,
    delay,
    errors::{Fault, cause},
    isolation::{Answer, Isolation, Lane, Sending},
    ladder::Ladder,
    levels::Levels,
    slot::{Mortal, Slot},
    table,
};
use crate::{Error, Message, Queue, QueueName, transport::Destination};

/// For which part of a publish's time a message that the broker says no to is offered again. A quorum queue does so while it has no
/// leader: a moment after it was declared, or lost one. A queue at its limit may have room by then.
const OFFERED_AGAIN: f64 = 0.8;

/// For which part of a publish's time a connection may leave a new channel unanswered before another is made. RabbitMQ reads no
/// further from one on which a few hundred messages wait for a channel that is held up.
const UNREAD: f64 = 0.3;

#[derive(Debug)]
pub(super) struct Publisher {
    connector: Connector,
    channel: Slot<ConfirmChannel>,
    isolation: Isolation<ConfirmChannel>,
    /// The connection of what is isolated: RabbitMQ closes it when a queue is deleted that holds up a channel.
    apart: Connector,
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
    Sent(Arc<ConfirmChannel>, Levels),
    Rejected,
    /// In line for a queue that is isolated.
    InLine,
    SentAlone,
}

impl Publisher {
    /// Each connector is one connection's, made when it is needed.
    pub(super) fn new(connector: Connector, apart: Connector, timeout: Duration, address: String) -> Self {
        let (channel, isolation, rescues) = (Slot::default(), Isolation::default(), TaskTracker::new());
        Self { connector, channel, isolation, apart, timeout, address, rescues }
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
                Phase::InLine => {
                    let waited = format!("waiting for queue {} to confirm an earlier message", queue.name);
                    Fault::timed_out(&waited).into_error(&self.address)
                }
                Phase::SentAlone => timed_out(message, &queue.name),
                Phase::Sent(channel, levels) => {
                    // A broker that is blocked answers later, and hears of no new channel before.
                    if channel.link.blocked().is_none() {
                        let given_up = channel.retire();
                        self.isolation.isolate(route(queue, companion, levels, message, delay).place(), given_up);
                    }
                    timed_out(message, &queue.name)
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
        let delayed = (!delay.is_zero()).then(|| Ladder::of(message.priority()));
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
            let route = route(queue, companion, levels, message, delay);
            let answer = match self.isolation.lane(route.place()) {
                None => {
                    *phase = Phase::Sent(channel.clone(), levels);
                    channel.send(route, properties, &message.body, &mut |stray| self.rescue(stray)).await
                }
                Some(lane) => {
                    if !rejected {
                        *phase = Phase::InLine;
                    }
                    match Box::pin(self.send_alone(&lane, route, properties, message, phase)).await? {
                        Some(answer) => answer,
                        None => continue,
                    }
                }
            };
            match answer {
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
        Box::pin(self.channel.get(|| self.open(&self.connector))).await
    }

    /// A new channel, on another connection where this one does not answer.
    async fn open(&self, connector: &Connector) -> Result<ConfirmChannel, Fault> {
        let link = connector.link().await?;
        let opening = ConfirmChannel::open(link.clone());
        if let Ok(opened) = tokio::time::timeout(self.timeout.mul_f64(UNREAD), opening).await {
            return opened;
        }
        // A new connection would be blocked too, with its first message.
        if link.blocked().is_none() {
            link.retire();
        }
        ConfirmChannel::open(connector.link().await?).await
    }

    /// Sends a message to a queue that is isolated; `None` where it is so no more.
    async fn send_alone(
        &self,
        lane: &Lane<ConfirmChannel>,
        route: Route,
        properties: BasicProperties,
        message: &Message,
        phase: &mut Phase,
    ) -> Result<Option<Answer>, Error> {
        let body = message.body.clone();
        let send = |channel: Arc<ConfirmChannel>| -> Sending {
            *phase = Phase::SentAlone;
            // It has the channel to itself, so whatever comes back is this message.
            Box::pin(async move { channel.send(route, properties, &body, &mut |_| ()).await })
        };
        let answer = self.isolation.send(lane, async || self.open(&self.apart).await, send).await;
        if self.isolation.is_over() {
            self.apart.let_go();
        }
        answer.map_err(|fault| fault.into_error(&self.address))
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
        if let Some(link) = self.connector.current() {
            link.declared.forget(name);
        }
    }

    pub(super) async fn close(&self) {
        self.rescues.close();
        let _ = tokio::time::timeout(self.timeout, self.rescues.wait()).await;
        self.channel.clear();
        tokio::join!(self.connector.close(), self.apart.close());
    }
}

/// `companion` stands for the queue itself, where there is one.
fn route(queue: &Queue, companion: Option<&str>, levels: Levels, message: &Message, delay: Duration) -> Route {
    let name = match companion {
        Some(name) => Cow::Borrowed(name),
        None => levels.name(&queue.name, message.priority()),
    };
    let ladder = Ladder::of(message.priority());
    let (exchange, key) = delay::route(ladder, delay, &name).unwrap_or_else(|| (String::new(), name.into_owned()));
    Route { exchange: exchange.into(), key: key.into() }
}

fn rejected(message: &Message, queue: &QueueName) -> Error {
    Error::Nacked { id: message.id(), queue: queue.clone() }
}

fn timed_out(message: &Message, queue: &QueueName) -> Error {
    unconfirmed(message, queue, std::io::Error::from(std::io::ErrorKind::TimedOut))
}

fn unconfirmed(message: &Message, queue: &QueueName, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Unconfirmed { id: message.id(), queue: queue.clone(), source: cause(source) }
}
