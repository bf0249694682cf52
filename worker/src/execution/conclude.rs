use std::{panic::AssertUnwindSafe, sync::Arc};

use celeriac_broker::{Outcome, Reason, task::Event};
use futures_util::FutureExt;

use super::settle::settle;
use crate::{
    Context, Failure,
    decide::{Attempt, Decision, decide},
    limits::{Ended, panic_message},
    registry::{Bound, RunFuture},
    running::Job,
    shared::{self, Shared},
};

/// The handler, with every middleware's `before` in front of it.
pub(super) fn around<S: Send + Sync + 'static>(
    shared: Arc<Shared<S>>,
    ctx: Context<S>,
    bound: Box<dyn Bound<S>>,
) -> RunFuture {
    if shared.middleware.is_empty() {
        return bound.run(ctx);
    }
    Box::pin(async move {
        for middleware in &shared.middleware {
            middleware.before(&ctx).await?;
        }
        bound.run(ctx).await
    })
}

/// Decides what follows from how a run ended, calls the hooks, settles, and releases the leases. The first caller for a job wins.
pub(super) async fn finish<S: Send + Sync + 'static>(shared: &Shared<S>, job: &Job<S>, ended: Ended) {
    // A run that was settled by another lets go of its leases here, when it has come to its end.
    conclude_and(shared, job, ended, job.ctx.hold().release()).await;
}

/// The same in the stead of a run that does not end: its leases stay, for it still does what they are for. They are not renewed past
/// its hard limit.
pub(crate) async fn conclude<S: Send + Sync + 'static>(shared: &Shared<S>, job: &Job<S>, ended: Ended) {
    conclude_and(shared, job, ended, std::future::ready(())).await;
}

async fn conclude_and<S: Send + Sync + 'static>(
    shared: &Shared<S>,
    job: &Job<S>,
    ended: Ended,
    release: impl Future<Output = ()>,
) {
    let elapsed = job.started.elapsed();
    let Some(original) = job.take() else {
        tracing::warn!(task = job.task, task_id = %job.ctx.id(), ?elapsed, "a run ended after its message was settled by another; its result is ignored");
        return release.await;
    };
    let request = job.ctx.request();
    let attempt = Attempt {
        number: request.attempt,
        policy: shared::policy(&job.options),
        previous_delay: request.previous_delay,
        deadline: request.deadline,
    };
    let mut decision = decide(ended, &attempt, shared.broker.clock().now(), &mut rand::rng());
    if let Decision::Defer { reason, kept, .. } = &mut decision {
        *kept = job.ctx.hold().kept();
        if *reason == Reason::Postponed {
            *reason = kept.reason();
        }
    }
    hooks(shared, job, &decision).await;
    let outcome = decision.outcome();
    // Both at once, neither waiting for the other. The run is over, so nobody needs the leases: a copy that comes back at once
    // must not find its own first run's. And an acknowledgement that fails must not keep them from others while it is tried
    // again: the message runs again then, and takes them anew. The hooks have run under them.
    tokio::join!(settle(shared, original, decision), release);
    for middleware in &shared.middleware {
        guarded("after", middleware.after(&job.ctx, outcome, elapsed)).await;
    }
}

/// Calls what the decision calls for: the middleware first, then the family's hooks.
async fn hooks<S: Send + Sync + 'static>(shared: &Shared<S>, job: &Job<S>, decision: &Decision) {
    let (reason, error, retry_in) = match decision {
        Decision::Retry { delay, reason, error } => (*reason, error, Some(*delay)),
        Decision::Bury { outcome: Outcome::Failed, reason, error } => (*reason, error, None),
        _ => return,
    };
    let failure = Failure { reason, error: error.clone(), retry_in };
    for middleware in &shared.middleware {
        guarded("on_failure", middleware.on_failure(&job.ctx, &failure)).await;
        match retry_in {
            Some(_) => guarded("on_retry", middleware.on_retry(&job.ctx, &failure)).await,
            None => guarded("on_exhausted", middleware.on_exhausted(&job.ctx, &failure)).await,
        }
    }
    let Some(hooks) = job.options.hooks else { return };
    let request = job.ctx.request();
    // The run was bound from the same request.
    let arguments =
        shared.registry.get(&request.task).and_then(|runnable| runnable.arguments(request).ok()).unwrap_or_default();
    let event = || {
        Event::new(job.task, &request.id, job.ctx.queue(), request.attempt, &arguments, reason, error, &shared.broker)
    };
    guarded("on_failure", hooks.on_failure(event())).await;
    match retry_in {
        Some(_) => guarded("on_retry", hooks.on_retry(event())).await,
        None => guarded("on_exhausted", hooks.on_exhausted(event())).await,
    }
}

/// A hook's panic must not keep a message from being settled.
async fn guarded(hook: &'static str, future: impl Future<Output = ()>) {
    if let Err(panic) = AssertUnwindSafe(future).catch_unwind().await {
        tracing::error!(hook, panic = panic_message(panic.as_ref()), "a hook panicked");
    }
}
