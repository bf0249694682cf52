//! A consumer that outlives its connections.

use std::{
    collections::HashMap,
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
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep},
};
use tokio_util::sync::{CancellationToken, PollSemaphore, WaitForCancellationFutureOwned};

use super::{
    arrival::{Arrival, Fetched},
    connection::Connector,
    errors::Fault,
    publisher::Publisher,
    session::Session,
    topology::{has_companions, suspect_name},
};
use crate::{
    Consumer, Delivery, TaskId,
    transport::{Destination, Settle as _, Subscription},
};

/// The longest wait between two attempts to connect.
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// How long the broker has to confirm that it sends no more.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(1);

/// A session that lasted this long was a good one: the next attempt to connect is made at once.
const GOOD_SESSION: Duration = Duration::from_secs(10);

/// How long a new session hands out no suspect. By then all that the broker sent at first has been looked at, and those whose
/// deaths are many are among the suspects: the next death of a killer counts for none of them.
const SETTLING_IN: Duration = Duration::from_secs(1);

type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

pub(super) struct AmqpConsumer {
    shared: Shared,
    state: State,
    fetched: Fetched,
    moves: Moves,
    /// With a queue per priority, each is fetched from up to the prefetch, so that the broker's bound is not the pool's: this
    /// one is. The broker can't be asked for "the highest of these ten", so up to ten times the prefetch wait in this process,
    /// uncounted by it and out of other processes' reach until they are handed out in order, or until it stops.
    places: PollSemaphore,
    place: Option<OwnedSemaphorePermit>,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
}

enum State {
    Running { session: Session, since: Instant, settled_in: Pin<Box<Sleep>> },
    Connecting(Work<Session>),
    Stopped,
}

impl State {
    fn running(session: Session) -> Self {
        Self::Running { session, since: Instant::now(), settled_in: Box::pin(tokio::time::sleep(SETTLING_IN)) }
    }
}

/// Deliveries being replaced before anybody sees them: counted, or moved to the suspects.
#[derive(Default)]
struct Moves {
    running: FuturesUnordered<Work<TaskId>>,
    ids: HashMap<TaskId, u32>,
}

impl Moves {
    fn start(&mut self, id: TaskId, work: Work<TaskId>) {
        *self.ids.entry(id).or_default() += 1;
        self.running.push(work);
    }

    fn ended(&mut self, id: &TaskId) {
        if let Some(count) = self.ids.get_mut(id) {
            *count -= 1;
            if *count == 0 {
                self.ids.remove(id);
            }
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(Some(id)) = self.running.poll_next_unpin(context) {
            self.ended(&id);
        }
    }

    async fn end(&mut self) {
        while let Some(id) = self.running.next().await {
            self.ended(&id);
        }
    }
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
        Ok(Self {
            shared: Shared { connector, publisher, subscription: Arc::new(subscription) },
            state: State::running(session),
            fetched: Fetched::default(),
            moves: Moves::default(),
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
            self.moves.poll(context);
            match &mut self.state {
                State::Stopped => return Poll::Ready(None),
                State::Connecting(connecting) => self.state = State::running(ready!(connecting.as_mut().poll(context))),
                State::Running { session, since, .. } => {
                    match Self::fetch(session, &self.shared, &mut self.fetched, &mut self.moves, context) {
                        Err(reason) => {
                            let queue = &self.shared.subscription.queue.name;
                            tracing::warn!(%queue, reason, "lost the broker; unsettled deliveries are delivered again");
                            session.link().declared.forget(queue);
                            self.fetched.take().for_each(drop);
                            let attempt = u32::from(since.elapsed() < GOOD_SESSION);
                            self.state = State::Connecting(Box::pin(self.shared.clone().reconnect(attempt)));
                        }
                        // New moves are polled before this future rests.
                        Ok(moved) if moved => {}
                        Ok(_) => return self.hand_out(context).map(Some),
                    }
                }
            }
        }
    }

    /// Looks at all that has come; says whether some of it is being replaced.
    fn fetch(
        session: &mut Session,
        shared: &Shared,
        fetched: &mut Fetched,
        moves: &mut Moves,
        context: &mut Context<'_>,
    ) -> Result<bool, String> {
        let mut moved = false;
        while let Poll::Ready(next) = session.poll_next(context) {
            let (raw, number) = next?;
            let lane = &session.lanes()[number];
            let arrival = Arrival::read(raw, lane.channel.clone(), lane.suspects, shared.publisher.clone());
            if arrival.counted && (arrival.suspect || !shared.isolates(&arrival)) {
                fetched.push(number, arrival);
            } else {
                moves.start(arrival.id.clone(), shared.give_back(arrival));
                moved = true;
            }
        }
        Ok(moved)
    }

    fn hand_out(&mut self, context: &mut Context<'_>) -> Poll<Delivery> {
        let State::Running { session, settled_in, .. } = &mut self.state else { return Poll::Pending };
        if session.is_levelled() && self.place.is_none() {
            self.place = ready!(self.places.poll_acquire(context));
        }
        // A suspect is handed out when nothing is on its way to the suspects: it may be the end of this process.
        let calm = self.fetched.has_suspects()
            && self.moves.ids.is_empty()
            && (settled_in.is_elapsed() || settled_in.as_mut().poll(context).is_ready());
        let Some(mut arrival) = self.fetched.pop(calm, |id| self.moves.ids.contains_key(id)) else {
            return Poll::Pending;
        };
        if let Some(place) = self.place.take() {
            arrival.settle.occupy(place);
        }
        let (number, queue) = (arrival.number(), self.shared.subscription.queue.clone());
        Poll::Ready(Delivery::new(arrival.message, queue, number, Box::new(arrival.settle)))
    }
}

impl Shared {
    /// Whether a task has died often enough to be run alone from now on.
    fn isolates(&self, arrival: &Arrival) -> bool {
        has_companions(&self.subscription.queue.name) && arrival.deaths >= self.subscription.isolate_after.max(1)
    }

    /// A future that puts a copy in a delivery's stead, with its deaths in a header: among the suspects if it is one.
    fn give_back(&self, arrival: Arrival) -> Work<TaskId> {
        let shared = self.clone();
        Box::pin(async move {
            let queue = &shared.subscription.queue;
            let copy = arrival.message.given_back(arrival.number());
            let suspect = arrival.suspect || shared.isolates(&arrival);
            let mut settle = arrival.settle;
            let replaced = if suspect {
                settle.replace_in_companion(queue, &suspect_name(&queue.name), &copy).await
            } else {
                settle.replace(&Destination::now(queue.clone()), &copy).await
            };
            if let Err(error) = replaced {
                // It is still the broker's, and comes back when this channel closes.
                tracing::warn!(task_id = arrival.id.as_str(), queue = %queue.name, %error, "could not be given back");
            }
            arrival.id
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

/// From nearly nothing to 5 s, half of it chance: a thousand workers do not come back at once.
fn backoff(attempt: u32) -> Duration {
    let most = Duration::from_millis(100).saturating_mul(1 << attempt.min(6)).min(MAX_BACKOFF);
    most.mul_f64(rand::random_range(0.5..=1.0))
}

#[async_trait]
impl Consumer for AmqpConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        // All that is under way is kept in the consumer, so that nothing is lost with this future.
        poll_fn(|context| self.poll_next(context)).await
    }

    async fn stop(&mut self) {
        if let State::Running { session, .. } = std::mem::replace(&mut self.state, State::Stopped) {
            let mut lanes = session.into_lanes();
            let cancelled = lanes.iter_mut().map(|lane| tokio::time::timeout(CANCEL_TIMEOUT, lane.cancel()));
            let late: Vec<_> = join_all(cancelled).await;
            for (number, (lane, late)) in lanes.iter().zip(late).enumerate() {
                for raw in late.unwrap_or_default() {
                    let publisher = self.shared.publisher.clone();
                    self.fetched.push(number, Arrival::read(raw, lane.channel.clone(), lane.suspects, publisher));
                }
            }
            // As copies: what is merely returned to the broker comes back with a death more.
            for arrival in self.fetched.take() {
                self.moves.start(arrival.id.clone(), self.shared.give_back(arrival));
            }
        }
        self.moves.end().await;
    }

    fn is_connected(&self) -> bool {
        matches!(&self.state, State::Running { session, .. } if session.is_alive())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_to_connect_are_spread_and_never_more_than_five_seconds_apart() {
        for attempt in [0, 1, 5, 6, 7, 1000, u32::MAX] {
            let wait = backoff(attempt);
            assert!(wait <= MAX_BACKOFF && wait >= Duration::from_millis(50), "{attempt}: {wait:?}");
        }
        assert!(backoff(u32::MAX) >= MAX_BACKOFF / 2);
        assert!((0..100).map(|_| backoff(6)).collect::<std::collections::BTreeSet<_>>().len() > 50);
    }
}
