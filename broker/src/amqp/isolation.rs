//! Queues that left a message unconfirmed: what goes there goes alone, until a message is confirmed.
//!
//! RabbitMQ makes a channel known to a quorum queue with its first message there, and handles nothing else of that channel until
//! the queue has agreed. One whose majority is down never does: RabbitMQ gives up after 65 s, says no to that message, and goes on
//! to the next. So a message to such a queue has a channel to itself, on a connection apart from the others'. There is one such
//! message at a time: the rest waits in line, since nothing that is sent before it is answered would be taken sooner.
//!
//! Which of the queues with messages on a channel held it up can't be told. All are isolated, and one that is well comes back with its
//! next message.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

use super::{
    confirm::{Receipt, SendFault},
    errors::Fault,
    slot::Mortal,
};

/// At most so many queues have a lane of their own. Beyond, they share the common channel, and hold it up each time.
const LANES: usize = 64;

/// How long a message is waited for before the next one is sent over another channel. The first one's is closed, which RabbitMQ does
/// when it has let go of it: a queue has up to seven.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) type Answer = Result<Receipt, SendFault>;
/// Sends a message with its first poll, and resolves to what the broker says to it.
pub(super) type Sending = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// Which queues are isolated, by their names.
#[derive(Debug)]
pub(super) struct Isolation<C> {
    /// Whether there are any: a publish takes no lock where there are none.
    any: AtomicBool,
    lanes: Mutex<HashMap<Box<str>, Arc<Lane<C>>>>,
}

/// The way to one isolated queue.
pub(super) struct Lane<C> {
    queue: Box<str>,
    turn: tokio::sync::Mutex<Turn<C>>,
    /// When a message was confirmed.
    over: OnceLock<Instant>,
}

struct Turn<C> {
    channel: Option<Arc<C>>,
    /// The last message, until it is answered. Whoever sent it may have given up; then the next in line waits for its answer.
    sent: Option<(Instant, Sending)>,
}

impl<C> Default for Isolation<C> {
    fn default() -> Self {
        Self { any: AtomicBool::new(false), lanes: Mutex::default() }
    }
}

impl<C> std::fmt::Debug for Lane<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").field("queue", &self.queue).field("over", &self.over.get()).finish_non_exhaustive()
    }
}

impl<C> Lane<C> {
    fn new(queue: &str) -> Self {
        let turn = Turn { channel: None, sent: None };
        Self { queue: queue.into(), turn: tokio::sync::Mutex::new(turn), over: OnceLock::new() }
    }

    fn is_open(&self) -> bool {
        self.over.get().is_none()
    }

    /// Whether somebody sends there now, or did a moment ago.
    fn is_used(&self) -> bool {
        let recent = |turn: &Turn<C>| turn.sent.as_ref().is_some_and(|(at, _)| at.elapsed() < PATIENCE);
        self.is_open() && self.turn.try_lock().map_or(true, |turn| recent(&turn))
    }
}

impl<C: Mortal> Isolation<C> {
    fn lanes(&self) -> MutexGuard<'_, HashMap<Box<str>, Arc<Lane<C>>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no queue is isolated.
    pub(super) fn is_over(&self) -> bool {
        !self.any.load(Ordering::Relaxed)
    }

    /// The lane to a queue that is isolated.
    pub(super) fn lane(&self, queue: &str) -> Option<Arc<Lane<C>>> {
        if self.is_over() {
            return None;
        }
        self.lanes().get(queue).filter(|lane| lane.is_open()).cloned()
    }

    /// Isolates a queue that left a message unconfirmed on a channel that was given up at `given_up`. What it has confirmed since
    /// counts for more.
    pub(super) fn isolate(&self, queue: &str, given_up: Instant) {
        let mut lanes = self.lanes();
        if lanes.get(queue).is_some_and(|lane| lane.over.get().is_none_or(|over| *over > given_up)) {
            return;
        }
        if lanes.len() >= LANES {
            lanes.retain(|_, lane| lane.is_used());
        }
        if lanes.len() < LANES {
            tracing::warn!(queue, "does not confirm; what is published there goes alone, until something is confirmed");
            lanes.insert(queue.into(), Arc::new(Lane::new(queue)));
        }
        self.any.store(lanes.values().any(|lane| lane.is_open()), Ordering::Relaxed);
    }

    /// Sends a message when those before it are answered, or were waited for in vain. `None`: the queue is isolated no more, and
    /// nothing was sent.
    pub(super) async fn send(
        &self,
        lane: &Lane<C>,
        open: impl AsyncFnOnce() -> Result<C, Fault>,
        send: impl FnOnce(Arc<C>) -> Sending,
    ) -> Result<Option<Answer>, Fault> {
        let mut turn = lane.turn.lock().await;
        if let Some((at, answer)) = &mut turn.sent {
            let answer = timeout_at(*at + PATIENCE, answer).await;
            turn.sent = None;
            match answer {
                Ok(answer) => self.learn(lane, &mut turn, &answer),
                Err(_) => turn.channel = None,
            }
        }
        if !lane.is_open() {
            return Ok(None);
        }
        let channel = match turn.channel.take().filter(|channel| channel.is_alive()) {
            Some(channel) => channel,
            None => Arc::new(open().await?),
        };
        turn.channel = Some(channel.clone());
        let (_, answer) = turn.sent.insert((Instant::now(), send(channel)));
        let answer = answer.await;
        turn.sent = None;
        self.learn(lane, &mut turn, &answer);
        Ok(Some(answer))
    }

    /// A queue that is not there holds nobody up either.
    fn learn(&self, lane: &Lane<C>, turn: &mut Turn<C>, answer: &Answer) {
        if matches!(answer, Ok(Receipt::Taken | Receipt::Returned)) && lane.over.set(Instant::now()).is_ok() {
            turn.channel = None;
            tracing::info!(queue = &*lane.queue, "confirms again");
            let lanes = self.lanes();
            self.any.store(lanes.values().any(|lane| lane.is_open()), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        future::{pending, ready},
        sync::atomic::AtomicU32,
    };

    use super::*;

    struct Thing;

    impl Mortal for Thing {
        fn is_alive(&self) -> bool {
            true
        }
    }

    /// A queue that answers each message as it is told, and channels that are counted.
    #[derive(Default)]
    struct Scene {
        isolation: Isolation<Thing>,
        opened: AtomicU32,
        answers: Mutex<VecDeque<Sending>>,
    }

    impl Scene {
        fn isolating(queue: &str) -> Self {
            let scene = Self::default();
            scene.isolation.isolate(queue, Instant::now());
            scene
        }

        fn answers(self, answers: impl IntoIterator<Item = Sending>) -> Self {
            self.answers.lock().unwrap().extend(answers);
            self
        }

        /// Sends to a queue that is isolated, and waits for a second.
        async fn send(&self, queue: &str) -> Option<Option<Receipt>> {
            let lane = self.isolation.lane(queue).expect("it is isolated");
            let open = async || {
                self.opened.fetch_add(1, Ordering::Relaxed);
                Ok(Thing)
            };
            let sending = self.isolation.send(&lane, open, |_| self.answers.lock().unwrap().pop_front().unwrap());
            let answer = tokio::time::timeout(Duration::from_secs(1), sending).await.ok()?;
            Some(answer.unwrap().map(Result::unwrap))
        }

        fn opened(&self) -> u32 {
            self.opened.load(Ordering::Relaxed)
        }
    }

    fn says(receipt: Receipt) -> Sending {
        Box::pin(ready(Ok(receipt)))
    }

    fn later(after: Duration, receipt: Receipt) -> Sending {
        Box::pin(async move {
            tokio::time::sleep(after).await;
            Ok(receipt)
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_is_isolated_until_it_has_taken_a_message() {
        let scene = Scene::isolating("a").answers([says(Receipt::Rejected), says(Receipt::Taken)]);
        assert!(scene.isolation.lane("b").is_none());
        assert_eq!(scene.send("a").await, Some(Some(Receipt::Rejected)));
        assert_eq!(scene.send("a").await, Some(Some(Receipt::Taken)));
        assert!(scene.isolation.lane("a").is_none());
        assert_eq!(scene.opened(), 1, "a channel that answers is used again");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_while_a_message_is_unanswered_and_its_late_answer_counts() {
        let scene = Scene::isolating("a").answers([later(Duration::from_millis(2500), Receipt::Taken)]);
        let lane = scene.isolation.lane("a").unwrap();
        assert_eq!(scene.send("a").await, None, "its sender gives up");
        assert_eq!(scene.send("a").await, None, "the next one waits, and is not sent");
        assert_eq!(scene.send("a").await, Some(None), "the answer comes, and this one belongs on the common channel");
        assert!(!lane.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_is_never_answered_is_followed_by_another_over_another_channel() {
        let scene = Scene::isolating("a").answers([Box::pin(pending()) as Sending, says(Receipt::Taken)]);
        assert_eq!(scene.send("a").await, None);
        tokio::time::advance(PATIENCE).await;
        assert_eq!(scene.send("a").await, Some(Some(Receipt::Taken)));
        assert_eq!(scene.opened(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_confirmed_after_a_channel_was_given_up_counts_for_more_than_what_it_left_open() {
        let given_up = Instant::now();
        let scene = Scene::isolating("a").answers([later(Duration::from_millis(1), Receipt::Taken)]);
        scene.send("a").await;
        scene.isolation.isolate("a", given_up);
        assert!(scene.isolation.lane("a").is_none());
        tokio::time::advance(Duration::from_millis(1)).await;
        scene.isolation.isolate("a", Instant::now());
        assert!(scene.isolation.lane("a").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_nothing_is_sent_to_make_room_and_those_in_use_do_not() {
        let scene = Scene::default().answers((0..LANES).map(|_| Box::pin(pending()) as Sending));
        let names: Vec<String> = (0..LANES).map(|number| number.to_string()).collect();
        for name in &names {
            scene.isolation.isolate(name, Instant::now());
        }
        futures_util::future::join_all(names[1..].iter().map(|name| scene.send(name))).await;
        scene.isolation.isolate("new", Instant::now());
        assert!(scene.isolation.lane("0").is_none(), "nothing is sent there");
        scene.send("new").await;
        scene.isolation.isolate("newer", Instant::now());
        assert!(scene.isolation.lane("newer").is_none(), "there is no room");
        assert!(names[1..].iter().all(|name| scene.isolation.lane(name).is_some()));
    }
}
