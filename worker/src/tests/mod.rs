//! What a worker does with a delivery, on queues in memory and paused time.

mod deferral;
mod hooks;
mod leases;
mod limits;
mod pools;
mod rejections;
mod retries;
mod shutdown;
mod tags;

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
};

use celeriac_broker::{Arg, Task, TaskError, TaskOptions};
use serde::{Deserialize, Serialize};

use crate::{Context, Handler, Pool, Worker, WorkerBuilder, harness::Harness};

/// What a test wants its task to do.
type Script = dyn Fn(Context<State>, u64) -> Pin<Box<dyn Future<Output = Result<(), TaskError>> + Send>> + Send + Sync;

/// A worker's state: the script, and a log that scripts write.
#[derive(Clone)]
struct State {
    script: Arc<Script>,
    log: Arc<Mutex<Vec<u64>>>,
}

impl State {
    fn note(&self, n: u64) {
        self.log.lock().unwrap().push(n);
    }
}

/// One number, and limits and retries that the tests choose.
#[derive(Serialize, Deserialize)]
struct Scripted<const FAMILY: usize> {
    n: u64,
}

/// The options of `Scripted`'s families.
const FAMILIES: [(&str, TaskOptions); 4] = [
    ("plain", TaskOptions::new()),
    ("early", TaskOptions::new().early_ack(true)),
    ("limited", limits::OPTIONS),
    ("hooked", hooks::OPTIONS),
];
const PLAIN: usize = 0;
const EARLY: usize = 1;
const LIMITED: usize = 2;
const HOOKED: usize = 3;

impl<const FAMILY: usize> Task for Scripted<FAMILY> {
    const NAME: &'static str = FAMILIES[FAMILY].0;
    const ARGS: &'static [Arg] = &[Arg::required("n")];
    type Output = ();

    fn options() -> TaskOptions {
        FAMILIES[FAMILY].1
    }
}

impl<const FAMILY: usize> Handler<State> for Scripted<FAMILY> {
    async fn run(self, ctx: Context<State>) -> Result<(), TaskError> {
        (ctx.state().script.clone())(ctx, self.n).await
    }
}

fn builder(state: &State) -> WorkerBuilder<State> {
    let state = state.clone();
    Worker::builder()
        .state(move || async move { Ok::<_, TaskError>(state) })
        .register::<Scripted<PLAIN>>()
        .register::<Scripted<EARLY>>()
        .register::<Scripted<LIMITED>>()
        .register::<Scripted<HOOKED>>()
        .register::<leases::Locked>()
        .register::<leases::checks::Checked>()
        .pool("celeriac", Pool::new(4))
}

fn state<F>(script: impl Fn(Context<State>, u64) -> F + Send + Sync + 'static) -> State
where
    F: Future<Output = Result<(), TaskError>> + Send + 'static,
{
    State { script: Arc::new(move |ctx, n| Box::pin(script(ctx, n))), log: Arc::default() }
}

/// A harness whose tasks run `script`.
fn harness<F>(script: impl Fn(Context<State>, u64) -> F + Send + Sync + 'static) -> Harness<State>
where
    F: Future<Output = Result<(), TaskError>> + Send + 'static,
{
    let state = state(script);
    Harness::new(move || builder(&state))
}
