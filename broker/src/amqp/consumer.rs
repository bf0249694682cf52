//! A consumer that outlives its connections.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{
    StreamExt,
    future::{join_all, poll_fn},
    stream::FuturesUnordered,
};
use lapin::types::AMQPValue;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::sync::{CancellationToken, PollSemaphore, WaitForCancellationFutureOwned};

use super::{
    connection::Connector,
    errors::Fault,
    publisher::Publisher,
    session::{Fetched, Session},
    settle::AmqpSettle,
    table,
    topology::{has_companions, suspect_name},
};
use crate::{
    Consumer, Delivery, Message,
    message::names,
    transport::{Destination, Settle as _, Subscription},
};

/// The longest wait between two attempts to connect.
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// How long the broker has to confirm that it sends no more.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(1);

/// A session that lasted this long was a good one: the next attempt to connect is made at once.
const GOOD_SESSION: Duration = Duration::from_secs(10);

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub(super) struct AmqpConsumer {
    shared: Shared,
    state: State,
    /// Deliveries being replaced before anybody sees them: counted, or moved to the suspects.
    moves: FuturesUnordered<Work<()>>,
    /// With a queue per priority, each is fetched from up to the prefetch, so that the broker's bound is not the pool's: this
    /// one is. The broker can't be asked for "the highest of these ten", so up to ten times the prefetch wait in this process,
    /// uncounted by it and out of other processes' reach until they are handed out in order, or until it stops.
    places: PollSemaphore,
    place: Option<OwnedSemaphorePermit>,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
}

enum State {
    Running { session: Session, since: Instant },
    Connecting(Work<Session>),
    Stopped,
}

/// What reconnecting and replacing need.
#[derive(Clone)]
struct Shared {
    connector: Arc<Connector>,
    publisher: Arc<Publisher>,
    subscription: Arc<Subscription>,
}

impl std::fmt::Debug for AmqpConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AmqpConsumer")
            .field("queue", &self.shared.subscription.queue.name)
            .field("connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

impl AmqpConsumer {
    pub(super) async fn open(
        connector: Arc<Connector>,
        publisher: Arc<Publisher>,
        subscription: Subscription,
        closed: CancellationToken,
    ) -> Result<Self, Fault> {
        let session = Session::open(&connector, &subscription).await?;
        let places = PollSemaphore::new(Arc::new(Semaphore::new(subscription.prefetch.max(1).into())));
        let shared = Shared { connector, publisher, subscription: Arc::new(subscription) };
        Ok(Self {
            shared,
            state: State::Running { session, since: Instant::now() },
            moves: FuturesUnordered::new(),
            places,
            place: None,
            closed: Box::pin(closed.cancelled_owned()),
        })
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        if self.closed.as_mut().poll(context).is_ready() {
            self.state = State::Stopped;
        }
        loop {
            while let Poll::Ready(Some(())) = self.moves.poll_next_unpin(context) {}
            match &mut self.state {
                State::Stopped => return Poll::Ready(None),
                State::Connecting(connecting) => match connecting.as_mut().poll(context) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(session) => self.state = State::Running { session, since: Instant::now() },
                },
                State::Running { session, since } => {
                    if session.is_levelled() && self.place.is_none() {
                        self.place = ready!(self.places.poll_acquire(context));
                    }
                    match ready!(session.poll_next(context)) {
                        Ok(fetched) => match self.shared.receive(self.shared.read(fetched, self.place.take())) {
                            Ok(delivery) => return Poll::Ready(Some(delivery)),
                            Err(work) => self.moves.push(work),
                        },
                        Err(reason) => {
                            let queue = &self.shared.subscription.queue.name;
                            tracing::warn!(%queue, reason, "lost the broker; unsettled deliveries are delivered again");
                            session.link().declared.forget(queue);
                            let attempt = u32::from(since.elapsed() < GOOD_SESSION);
                            self.state = State::Connecting(Box::pin(self.shared.clone().reconnect(attempt)));
                        }
                    }
                }
            }
        }
    }
}

/// A delivery as it came.
struct Arrival {
    message: Message,
    settle: AmqpSettle,
    /// How often it was delivered and not settled.
    deaths: u32,
    /// Whether that number is in the message or kept by the broker. A classic queue says only that there was another delivery.
    counted: bool,
    suspects: bool,
}

impl Shared {
    fn read(&self, fetched: Fetched, place: Option<OwnedSemaphorePermit>) -> Arrival {
        let Fetched { raw, channel, suspects } = fetched;
        let count = raw.properties.headers().as_ref().and_then(|table| table.inner().get("x-delivery-count"));
        let count = count.and_then(as_count);
        let message = table::message(&raw.properties, raw.data);
        let earlier = message.headers.int(names::DELIVERIES).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let counted = count.is_some() || !raw.redelivered;
        let since = if counted { count.unwrap_or(0) } else { 1 };
        Arrival {
            settle: AmqpSettle::new(channel, raw.delivery_tag, message.id(), self.publisher.clone(), place),
            deaths: earlier.saturating_add(since),
            message,
            counted,
            suspects,
        }
    }

    /// Whether a task has died often enough to be run alone from now on.
    fn is_suspect(&self, arrival: &Arrival) -> bool {
        has_companions(&self.subscription.queue.name) && arrival.deaths >= self.subscription.isolate_after.max(1)
    }

    /// What a worker gets to see, or what is to be done before one may.
    fn receive(&self, arrival: Arrival) -> Result<Delivery, Work<()>> {
        if !arrival.counted || !arrival.suspects && self.is_suspect(&arrival) {
            return Err(self.give_back(arrival));
        }
        let queue = self.subscription.queue.clone();
        Ok(Delivery::new(arrival.message, queue, arrival.deaths.saturating_add(1), Box::new(arrival.settle)))
    }

    /// A future that puts a copy in a delivery's stead, with its deaths in a header: among the suspects if it is one.
    fn give_back(&self, mut arrival: Arrival) -> Work<()> {
        let shared = self.clone();
        Box::pin(async move {
            let queue = &shared.subscription.queue;
            let copy = arrival.message.given_back(arrival.deaths.saturating_add(1));
            let replaced = if arrival.suspects || shared.is_suspect(&arrival) {
                arrival.settle.replace_in_companion(queue, &suspect_name(&queue.name), &copy).await
            } else {
                arrival.settle.replace(&Destination::now(queue.clone()), &copy).await
            };
            if let Err(error) = replaced {
                // It is still the broker's, and comes back when this channel closes.
                tracing::warn!(task_id = arrival.message.id().as_str(), queue = %queue.name, %error, "could not be given back");
            }
        })
    }

    /// Connects, however long it takes.
    async fn reconnect(self, mut attempt: u32) -> Session {
        let queue = &self.subscription.queue.name;
        loop {
            tokio::time::sleep(backoff(attempt)).await;
            match Session::open(&self.connector, &self.subscription).await {
                Ok(session) => {
                    tracing::info!(%queue, "consuming again");
                    return session;
                }
                Err(fault @ Fault::Refused(_)) => {
                    tracing::error!(%queue, address = self.publisher.address(), %fault, "the broker refuses; trying on");
                }
                Err(fault) => {
                    tracing::warn!(%queue, address = self.publisher.address(), %fault, "no broker; trying on")
                }
            }
            attempt = attempt.saturating_add(1);
        }
    }
}

/// From nothing to 5 s, half of it chance: a thousand workers do not come back at once.
fn backoff(attempt: u32) -> Duration {
    let most = Duration::from_millis(200).saturating_mul(1 << attempt.min(6)).min(MAX_BACKOFF);
    let most = if attempt == 0 { Duration::from_millis(100) } else { most };
    most.mul_f64(rand::random_range(0.5..=1.0))
}

fn as_count(value: &AMQPValue) -> Option<u32> {
    match value {
        AMQPValue::LongLongInt(count) => u32::try_from(*count).ok(),
        AMQPValue::LongInt(count) => u32::try_from(*count).ok(),
        AMQPValue::LongUInt(count) => Some(*count),
        AMQPValue::ShortInt(count) => u32::try_from(*count).ok(),
        AMQPValue::ShortUInt(count) => Some((*count).into()),
        AMQPValue::ShortShortInt(count) => u32::try_from(*count).ok(),
        AMQPValue::ShortShortUInt(count) => Some((*count).into()),
        _ => None,
    }
}

#[async_trait]
impl Consumer for AmqpConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        // All that is under way is kept in the consumer, so that nothing is lost with this future.
        poll_fn(|context| self.poll_next(context)).await
    }

    async fn stop(&mut self) {
        let State::Running { session, .. } = std::mem::replace(&mut self.state, State::Stopped) else { return };
        let shared = &self.shared;
        let mut lanes = session.into_lanes();
        let cancelled = lanes.iter_mut().map(|lane| tokio::time::timeout(CANCEL_TIMEOUT, lane.cancel()));
        let fetched: Vec<_> = join_all(cancelled).await;
        // What was fetched and not handed out goes back as copies: a return would count as a death.
        for (lane, fetched) in lanes.iter().zip(fetched) {
            for raw in fetched.unwrap_or_default() {
                lane.channel.delivered();
                let fetched = Fetched { raw, channel: lane.channel.clone(), suspects: lane.suspects };
                self.moves.push(shared.give_back(shared.read(fetched, None)));
            }
        }
        while self.moves.next().await.is_some() {}
    }

    fn is_connected(&self) -> bool {
        matches!(&self.state, State::Running { session, .. } if session.is_alive())
    }
}
