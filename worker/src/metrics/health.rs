use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use celeriac_broker::QueueName;
use tokio_util::sync::CancellationToken;

/// How long after its last tick an event loop counts as dead.
const DEAD_AFTER: Duration = Duration::from_secs(10);

/// How long the answer of a check is good.
const STALE_AFTER: Duration = Duration::from_secs(15);

/// What is known of a worker's health. Whoever asks is answered at once, from what was found last.
#[derive(Debug, Default)]
pub(super) struct Health {
    state: Mutex<State>,
    stopping: AtomicBool,
    begun: CancellationToken,
}

#[derive(Debug, Default)]
struct State {
    ticked: Option<Instant>,
    started: Option<SystemTime>,
    consumers: Vec<(QueueName, Arc<AtomicBool>)>,
    broker: Option<Found>,
    locks: Option<Found>,
    has_locks: bool,
}

/// What a check has found.
#[derive(Debug, Clone)]
struct Found {
    at: Instant,
    answer: Result<Duration, String>,
}

/// One part of an answer: its name, and what is wrong.
pub(super) type Part = (&'static str, Result<(), String>);

impl Health {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether leases are part of it.
    pub(super) fn with_locks(&self, has_locks: bool) {
        self.state().has_locks = has_locks;
    }

    /// The event loop ticks.
    pub(super) fn tick(&self) {
        self.state().ticked = Some(Instant::now());
    }

    /// The worker consumes.
    pub(super) fn start(&self) {
        self.state().started = Some(SystemTime::now());
        self.begun.cancel();
    }

    /// Resolves when the worker consumes.
    pub(super) async fn begun(&self) {
        self.begun.cancelled().await;
    }

    /// The worker fetches no more.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Minds a consumer, whose flag says whether it is registered.
    pub(super) fn mind(&self, queue: QueueName, connected: Arc<AtomicBool>) {
        self.state().consumers.push((queue, connected));
    }

    pub(super) fn found_broker(&self, answer: Result<Duration, String>) {
        self.state().broker = Some(Found { at: Instant::now(), answer });
    }

    pub(super) fn found_locks(&self, answer: Result<Duration, String>) {
        self.state().locks = Some(Found { at: Instant::now(), answer });
    }

    pub(super) fn started(&self) -> Option<SystemTime> {
        self.state().started
    }

    /// How long the last message to itself took.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.state().broker.as_ref()?.answer.as_ref().ok().copied()
    }

    /// Whether the event loop ticks. The broker has no part in it.
    pub(super) fn live(&self) -> Part {
        let ticked = self.state().ticked;
        let live = match ticked.map(|at| at.elapsed()) {
            None => Err("the worker does not run".to_owned()),
            Some(ago) if ago > DEAD_AFTER => Err(format!("it has not ticked for {} s", ago.as_secs())),
            Some(_) => Ok(()),
        };
        ("event_loop", live)
    }

    /// Whether the worker has begun to consume.
    pub(super) fn startup(&self) -> Part {
        let started = self.started().map(drop);
        ("started", started.ok_or_else(|| "the worker does not consume yet".to_owned()))
    }

    /// What readiness depends on, part by part.
    pub(super) fn ready(&self) -> Vec<Part> {
        let state = self.state();
        let mut parts = vec![("consumers", self.consumers(&state)), ("broker", fresh(state.broker.as_ref()))];
        if state.has_locks {
            parts.push(("locks", fresh(state.locks.as_ref())));
        }
        parts
    }

    fn consumers(&self, state: &State) -> Result<(), String> {
        if self.stopping.load(Ordering::Relaxed) {
            return Err("the worker is stopping".to_owned());
        }
        if state.started.is_none() {
            return Err("the worker does not consume yet".to_owned());
        }
        let away = state.consumers.iter().filter(|(_, connected)| !connected.load(Ordering::Relaxed));
        let away: Vec<&str> = away.map(|(queue, _)| queue.as_str()).collect();
        if away.is_empty() { Ok(()) } else { Err(format!("not registered at {}", away.join(", "))) }
    }
}

fn fresh(found: Option<&Found>) -> Result<(), String> {
    let Some(found) = found else { return Err("not asked yet".to_owned()) };
    if found.at.elapsed() > STALE_AFTER {
        return Err(format!("not asked for {} s", found.at.elapsed().as_secs()));
    }
    found.answer.as_ref().map(drop).map_err(Clone::clone)
}
