//! The life of one delivery, top to bottom: decode, check, take what it must hold, run within
//! limits, decide, settle and release.
//!
//! Limits, retries and settling are steps here and not middleware, because their order is part of the guarantee.

mod conclude;
mod leases;
mod prepare;
mod settle;
mod span;

use std::sync::Arc;

use celeriac_broker::Delivery;
use tokio::sync::watch;
use tracing::{Instrument, Span};

pub(crate) use self::conclude::conclude;
pub(crate) use self::leases::unavailable;
pub(crate) use self::settle::{Original, settle};
pub(crate) use self::span::tag;
use self::{
    conclude::finish,
    leases::{NotHeld, Taken},
    prepare::{Prepared, prepare},
};
use crate::{
    Context,
    leases::{Hold, Kept},
    limits::{self, Ended},
    running::Job,
    shared::Shared,
};

/// Runs one delivery to its settlement.
pub(crate) async fn execute<S: Send + Sync + 'static>(shared: Arc<Shared<S>>, delivery: Delivery) {
    let span = span::of(&delivery);
    run(shared, delivery, span.clone()).instrument(span).await;
}

async fn run<S: Send + Sync + 'static>(shared: Arc<Shared<S>>, delivery: Delivery, span: Span) {
    let now = shared.broker.clock().now();
    shared.meter.received(&delivery, now);
    let prepared = match prepare(&shared, &delivery, now) {
        Ok(prepared) => prepared,
        Err(decision) => return settle(&shared, Original::Held(delivery), decision).await,
    };
    let Prepared { request, bound, task, options, limits, max_attempts, locks, tags } = prepared;
    if request.task != task {
        // It came by an alias.
        span.record("task", task);
    }
    span::tag(&span, &tags);

    let (taken, busy) = if locks.is_empty() {
        // What was put off by its handler has kept places.
        let kept = if request.deferrals == 0 { Kept::default() } else { Kept::read(&delivery.message.headers) };
        ((Vec::new(), kept), None)
    } else {
        // Boxed: a run without locks has no room for it.
        match Box::pin(leases::hold(&shared, &delivery, &request, locks)).await {
            Ok(taken) => (taken, None),
            Err(NotHeld::Fail(busy)) => (Taken::default(), Some(busy)),
            Err(NotHeld::Settle(decision)) => return settle(&shared, Original::Held(delivery), decision).await,
        }
    };

    let (cancel, cancelled) = watch::channel(None);
    let state = shared.state.clone();
    let (held, kept) = taken;
    let ctx = Context::new(
        state,
        shared.broker.clone(),
        delivery.queue.name.clone(),
        request,
        max_attempts,
        limits.hard,
        cancelled,
        Hold::new(shared.home.clone(), held, kept, limits.hard),
        span,
        tags,
    );

    let original = if options.early_ack == Some(true) {
        let Some(original) = settle::ack_early(&shared, delivery).await else { return };
        original
    } else {
        Original::Held(delivery)
    };

    let job = Arc::new(Job::new(ctx.clone(), task, options, limits, original));
    let entered = shared.running.enter(job.clone());
    let ended = if let Some(busy) = busy {
        Ended::Busy(busy)
    } else {
        shared.counters.count_start();
        let run = conclude::around(shared.clone(), ctx.clone(), bound);
        let ended = limits::within(run, limits, &cancel, &shared.stop, ctx.hold()).await;
        shared.meter.ran(task, job.started.elapsed());
        limits::checked(ended, ctx.hold())
    };
    finish(&shared, &job, ended).await;
    drop(entered);
}
