use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use super::{
    Held,
    acquire::look_after,
    release,
    table::{Entry, Inner, Table, Turn, What, interval},
    thread::Chore,
};
use crate::{
    Error, LeaseLost, LockKey,
    clock::Boot,
    stats::{Counts, add},
    store::{Hint, LeaseId, LeaseStore, ProcessId, Renewal, Renewed, WAITER_TTL},
};

/// How many hints may lie unread; what is lost beyond is found by the next renewal.
const HINTS: usize = 1024;
/// The longest sleep while anything is held: a suspend is noticed within it.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The longest sleep while nothing is.
const IDLE: Duration = Duration::from_secs(3600);
/// How long a renewal may take, at most.
const RENEW_BOUND: Duration = Duration::from_secs(1);
/// How long one attempt to release may take.
const RELEASE_BOUND: Duration = Duration::from_secs(1);
/// How long a close waits for the store.
const FAREWELL: Duration = Duration::from_secs(2);

/// Renews what is due, tells waiters of their turns, and releases what was dropped.
#[derive(Debug)]
pub(super) struct Renewer {
    store: Arc<dyn LeaseStore>,
    process: ProcessId,
    table: Arc<Table>,
    counts: Arc<Counts>,
    patience: Duration,
    chores: mpsc::UnboundedReceiver<Chore>,
    /// Every future that the thread runs.
    tasks: JoinSet<Done>,
}

/// What came of a future.
#[derive(Debug)]
enum Done {
    Renewed(Batch),
    /// What a release has handed to those who want it no longer.
    Released(LockKey, Vec<LeaseId>),
}

/// A renewal that came back.
#[derive(Debug)]
struct Batch {
    sent: Boot,
    renewals: Vec<Renewal>,
    answers: Result<Vec<Renewed>, Error>,
}

impl Renewer {
    pub(super) fn new(
        store: Arc<dyn LeaseStore>,
        process: ProcessId,
        table: Arc<Table>,
        counts: Arc<Counts>,
        patience: Duration,
        chores: mpsc::UnboundedReceiver<Chore>,
    ) -> Self {
        Self { store, process, table, counts, patience, chores, tasks: JoinSet::new() }
    }

    pub(super) fn open(&self, runtime: &Handle) -> mpsc::Receiver<Hint> {
        let (hints, inbox) = mpsc::channel(HINTS);
        self.store.open(&self.process, runtime, hints);
        inbox
    }

    pub(super) async fn run(mut self, mut hints: mpsc::Receiver<Hint>) {
        let mut deaf = false;
        loop {
            let wait = self.plan();
            tokio::select! {
                biased;
                chore = self.chores.recv() => match chore {
                    None => return self.close(None).await,
                    Some(Chore::Close(done)) => return self.close(done).await,
                    Some(Chore::Look) => {}
                    Some(Chore::Release(key, lease)) => self.release(key, lease),
                },
                Some(done) = self.tasks.join_next() => {
                    match done {
                        Ok(Done::Renewed(batch)) => self.take_in(&batch),
                        Ok(Done::Released(key, unwanted)) => {
                            for lease in unwanted {
                                self.release(key.clone(), lease);
                            }
                        }
                        Err(_) => {}
                    }
                }
                hint = hints.recv(), if !deaf => match hint {
                    None => deaf = true,
                    Some(hint) => {
                        self.hear(&hint);
                        // Hints that came together are renewed together.
                        while let Some(Some(hint)) = hints.recv().now_or_never() { self.hear(&hint) }
                    }
                },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Notices what is lost, sends what is due, and says when to look again.
    fn plan(&mut self) -> Duration {
        let now = Boot::now();
        let (mut renewals, mut overlong) = (Vec::new(), Vec::new());
        let mut inner = self.table.lock();
        for lease in std::mem::take(&mut inner.urgent) {
            if let Some(entry) = inner.entries.get_mut(&lease).filter(|entry| entry.is_renewable(now)) {
                renewals.push(entry.send(now));
            }
        }
        if now >= inner.next {
            look_through(&mut inner, now, &mut renewals, &mut overlong);
        }
        // Somebody who adds an entry wakes the thread.
        let wait = if inner.next == Boot::NEVER { IDLE } else { inner.next.left(now) };
        drop(inner);
        for held in overlong {
            held.lose(LeaseLost::Overlong);
            self.table.remove(&held.ask.lease);
            self.release(held.ask.key.clone(), held.ask.lease.clone());
        }
        if !renewals.is_empty() {
            self.renew(now, renewals);
        }
        wait
    }

    fn renew(&mut self, sent: Boot, renewals: Vec<Renewal>) {
        let store = self.store.clone();
        // What takes longer has failed, and is tried again while there is time.
        let shortest = renewals.iter().map(|renewal| renewal.ask.ttl / 3).min().unwrap_or_default();
        let bound = shortest.clamp(Duration::from_millis(50), RENEW_BOUND);
        self.tasks.spawn(async move {
            let answers = bounded(bound, store.renew(&renewals)).await;
            Done::Renewed(Batch { sent, renewals, answers })
        });
    }

    fn take_in(&mut self, batch: &Batch) {
        match &batch.answers {
            Ok(answers) => {
                for (renewal, answer) in batch.renewals.iter().zip(answers) {
                    self.answer(batch.sent, renewal, answer);
                }
            }
            Err(error) => {
                let leases = batch.renewals.len();
                tracing::warn!(
                    error = error as &dyn std::error::Error,
                    leases,
                    "leases could not be renewed; trying again"
                );
                for renewal in &batch.renewals {
                    if renewal.fence.is_some() {
                        add(&self.counts.failed);
                    }
                    self.failed(&renewal.ask.lease, error);
                }
            }
        }
    }

    fn answer(&mut self, sent: Boot, renewal: &Renewal, answer: &Renewed) {
        let lease = &renewal.ask.lease;
        let mut inner = self.table.lock();
        // It was released or given up meanwhile.
        let Some(entry) = inner.entries.get_mut(lease) else { return };
        entry.in_flight = false;
        let again = std::mem::take(&mut entry.again);
        let now = Boot::now();
        entry.due = if again { now } else { now.plus(interval(entry.ttl())) };
        let mut due = entry.due;
        match (&mut entry.what, answer) {
            (What::Held(held), Renewed::Held { ttl, revoked }) => {
                add(&self.counts.renewed);
                held.extend(*ttl, sent);
                if *revoked {
                    held.lose(LeaseLost::Revoked);
                }
            }
            // It was sent for a waiter, which the answer to its own question has made a holder since.
            (What::Held(_), _) if renewal.fence.is_none() => {}
            (What::Held(held), _) => {
                add(&self.counts.lost);
                held.lose(LeaseLost::Taken);
                inner.entries.remove(lease);
            }
            (What::Waiting(waiter), Renewed::Waiting { position, look_in }) => {
                waiter.failing_since = None;
                if let Some(after) = look_after(*position, *look_in) {
                    due = due.min(now.plus(after));
                    entry.due = due;
                }
            }
            (What::Waiting(_), Renewed::Granted(granted)) => {
                if inner.grant(lease, *granted, sent).is_none() {
                    drop(inner);
                    self.release(renewal.ask.key.clone(), lease.clone());
                }
                return;
            }
            (What::Waiting(waiter), Renewed::Lost | Renewed::Held { .. }) => {
                // Nobody listens where it was given up.
                let _ = waiter.turn.send(Turn::AskAgain);
            }
        }
        inner.wants(due);
    }

    /// Tries again soon; a waiter's patience ends.
    fn failed(&self, lease: &LeaseId, error: &Error) {
        let now = Boot::now();
        let mut inner = self.table.lock();
        let Some(entry) = inner.entries.get_mut(lease) else { return };
        entry.in_flight = false;
        entry.again = false;
        entry.due = now.plus((entry.ttl() / 20).min(Duration::from_millis(250)).mul_f64(rand::random_range(0.5..1.0)));
        if let What::Waiting(waiter) = &mut entry.what {
            let since = *waiter.failing_since.get_or_insert(now);
            if now >= since.plus(self.patience) || !error.is_transient() {
                return tell(inner.entries.remove(lease), Turn::Failed(Box::new(error.again())));
            }
        }
        let due = entry.due;
        inner.wants(due);
    }

    fn hear(&mut self, hint: &Hint) {
        match hint {
            Hint::Granted { key, lease } => self.look_in(key, lease, Duration::ZERO),
            Hint::Look { key, lease, after } => self.look_in(key, lease, *after),
            Hint::Resync => {
                add(&self.counts.reconnects);
                let (now, mut inner) = (Boot::now(), self.table.lock());
                for entry in inner.entries.values_mut() {
                    entry.due = now;
                    entry.again |= entry.in_flight;
                }
                inner.wants(now);
            }
        }
    }

    /// What nobody here wants any more is given back, or those behind would wait for it to end.
    fn look_in(&mut self, key: &LockKey, lease: &LeaseId, after: Duration) {
        if self.table.look_in(lease, after).is_none() {
            self.release(key.clone(), lease.clone());
        }
    }

    /// Tells the store until it hears, or what is to be released has long ended by itself.
    fn release(&mut self, key: LockKey, lease: LeaseId) {
        let (store, process, table) = (self.store.clone(), self.process.clone(), self.table.clone());
        self.tasks.spawn(async move {
            let give_up = Boot::now().plus(WAITER_TTL * 2);
            let mut delay = Duration::from_millis(50);
            loop {
                let released = release::release(&*store, &process, &table, &key, &lease);
                let error = match bounded(RELEASE_BOUND, released).await {
                    // The thread looks at the table when this is done.
                    Ok(done) => return Done::Released(key, done.unwanted),
                    Err(error) => error,
                };
                if !error.is_transient() || Boot::now() >= give_up {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(%key, %lease, error, "a lease could not be released; it ends by itself");
                    return Done::Released(key, Vec::new());
                }
                tokio::time::sleep(delay.mul_f64(rand::random_range(0.5..1.0))).await;
                delay = (delay * 2).min(Duration::from_secs(1));
            }
        });
    }

    /// Releases what is left, as far as the store answers.
    async fn close(mut self, done: Option<oneshot::Sender<()>>) {
        self.chores.close();
        while let Some(chore) = self.chores.recv().await {
            if let Chore::Release(key, lease) = chore {
                self.release(key, lease);
            }
        }
        let entries = std::mem::take(&mut self.table.lock().entries);
        for entry in entries.into_values() {
            let ask = match &entry.what {
                What::Held(held) => {
                    held.lose(LeaseLost::Taken);
                    held.ask.clone()
                }
                What::Waiting(waiter) => waiter.ask.clone(),
            };
            tell(Some(entry), Turn::Failed(Box::new(Error::Closed)));
            self.release(ask.key.clone(), ask.lease.clone());
        }
        let farewell = async {
            while self.tasks.join_next().await.is_some() {}
            self.store.close(&self.process).await;
        };
        if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
            tracing::warn!("the lock store did not answer at the end; what is held there ends by itself");
        }
        if let Some(done) = done {
            // Whoever asked may have gone.
            let _ = done.send(());
        }
    }
}

/// Finds what is due, and what has been held for too long, and when the next of them will be.
fn look_through(inner: &mut Inner, now: Boot, renewals: &mut Vec<Renewal>, overlong: &mut Vec<Arc<Held>>) {
    let is_due = inner.entries.values().any(|entry| entry.is_renewable(now) && entry.due <= now);
    let mut next = Boot::NEVER;
    for entry in inner.entries.values_mut() {
        if let What::Held(held) = &entry.what
            && held.check()
        {
            next = next.min(held.lost_at());
            // Where leases end with their process, this one must be ended.
            if held.lost_at() == Boot::NEVER && now >= held.renew_until().plus(held.ask.ttl) {
                overlong.push(held.clone());
            }
        }
        if !entry.is_renewable(now) {
            continue;
        }
        // What is due soon goes with what is due now: as soon as the jitter of two intervals is wide, so that leases which were
        // taken together stay together.
        let soon = if is_due { now.plus(entry.ttl() / 15) } else { now };
        if entry.due <= soon {
            renewals.push(entry.send(now));
        } else {
            next = next.min(entry.due);
        }
    }
    let at_last = if inner.entries.is_empty() { Boot::NEVER } else { now.plus(LOOK_EVERY) };
    inner.next = next.min(at_last);
}

impl Entry {
    /// Its renewal, which is on its way from now on.
    fn send(&mut self, now: Boot) -> Renewal {
        self.in_flight = true;
        self.renewal(now)
    }
}

async fn bounded<T>(bound: Duration, operation: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(bound, operation).await {
        Ok(answer) => answer,
        Err(_) => Err(Error::Unavailable {
            address: "its address".to_owned(),
            message: format!("it did not answer within {bound:?}"),
        }),
    }
}

/// Tells a waiter that was removed; nobody listens where it was given up.
fn tell(entry: Option<Entry>, turn: Turn) {
    if let Some(Entry { what: What::Waiting(waiter), .. }) = entry {
        let _ = waiter.turn.send(turn);
    }
}
