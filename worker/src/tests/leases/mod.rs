//! What becomes of tasks that hold locks.

mod busy;
pub(super) mod checks;
mod faults;
mod fences;
mod line;
mod loss;
mod parts;
mod rates;
mod settings;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use celeriac_broker::{Arg, Busy, DeclaredLock, LockSpec, Pace, Task, TaskError};
use celeriac_mutex::Locks;
use serde::{Deserialize, Serialize};

use super::{State, builder, state};
use crate::{Context, Handler, harness::Harness};

/// A task that says in its arguments what it must hold.
#[derive(Serialize, Deserialize)]
pub(super) struct Locked {
    n: u64,
    wants: Vec<Want>,
}

/// A mutex or a semaphore called `m`, or a rate.
#[derive(Serialize, Deserialize, Clone)]
struct Want {
    key: String,
    leases: u32,
    busy: String,
    rate: bool,
}

impl Task for Locked {
    const NAME: &'static str = "locked";
    const ARGS: &'static [Arg] = &[Arg::required("n"), Arg::required("wants")];
    const LOCKS: &'static [DeclaredLock] = &[DeclaredLock::mutex("m"), DeclaredLock::semaphore("s", 2)];
    type Output = ();

    fn locks(&self) -> Vec<LockSpec> {
        self.wants.iter().map(Want::spec).collect()
    }
}

impl Handler<State> for Locked {
    async fn run(self, ctx: Context<State>) -> Result<(), TaskError> {
        (ctx.state().script.clone())(ctx, self.n).await
    }
}

impl Want {
    fn spec(&self) -> LockSpec {
        let key = [self.key.clone()];
        let busy = match self.busy.as_str() {
            "wait" => Busy::Wait(WAIT),
            "wait briefly" => Busy::Wait(Duration::from_millis(20)),
            "skip" => Busy::Skip,
            "fail" => Busy::Fail,
            _ => Busy::Defer,
        };
        match (self.rate, self.leases) {
            (true, _) => LockSpec::rate("r", key, Pace::new(1, Duration::from_secs(1))),
            (false, 1) => LockSpec::mutex("m", key).busy(busy).ttl(TTL),
            (false, leases) => LockSpec::semaphore("s", key, leases).busy(busy).ttl(TTL),
        }
    }
}

/// Short, so that what happens at a renewal happens soon.
const TTL: Duration = Duration::from_millis(400);

/// Longer than any test waits.
const WAIT: Duration = Duration::from_secs(30);

fn mutex(key: &str) -> Want {
    Want { key: key.to_owned(), leases: 1, busy: String::new(), rate: false }
}

fn semaphore(key: &str, leases: u32) -> Want {
    Want { leases, ..mutex(key) }
}

fn rate(key: &str) -> Want {
    Want { rate: true, ..mutex(key) }
}

impl Want {
    fn busy(self, busy: &str) -> Self {
        Self { busy: busy.to_owned(), ..self }
    }
}

fn locked(n: u64, wants: impl Into<Vec<Want>>) -> Locked {
    Locked { n, wants: wants.into() }
}

/// A harness whose tasks run `script`, and the locks of its workers.
fn harness<F>(script: impl Fn(Context<State>, u64) -> F + Send + Sync + 'static) -> (Harness<State>, Locks)
where
    F: Future<Output = Result<(), TaskError>> + Send + 'static,
{
    let locks = Locks::from_url("memory://").unwrap();
    (harness_on(locks.clone(), script), locks)
}

fn harness_on<F>(locks: Locks, script: impl Fn(Context<State>, u64) -> F + Send + Sync + 'static) -> Harness<State>
where
    F: Future<Output = Result<(), TaskError>> + Send + 'static,
{
    let state = state(script);
    Harness::new(move || builder(&state).locks(locks.clone()))
}

/// Waits until somebody is in line for the mutex `a`: in a slot, or away with a place that is kept.
async fn somebody_waits(locks: &Locks, in_a_slot: bool) {
    let key = locks.mutex("m").key("a").lock_key().clone();
    let waits = async || {
        let state = locks.inspect(&key).await.unwrap();
        state.is_some_and(|state| state.waiters.iter().any(|waiter| waiter.due.is_none() == in_a_slot))
    };
    while !waits().await {
        tokio::task::yield_now().await;
    }
}

/// How many are inside at once.
#[derive(Clone, Default)]
struct Crowd(Arc<(AtomicU32, AtomicU32)>);

impl Crowd {
    async fn stay(&self, time: Duration) {
        self.stay_until(tokio::time::sleep(time)).await;
    }

    async fn stay_until(&self, end: impl Future<Output = ()>) {
        let inside = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(inside, Ordering::SeqCst);
        end.await;
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }

    fn peak(&self) -> u32 {
        self.0.1.load(Ordering::SeqCst)
    }
}
