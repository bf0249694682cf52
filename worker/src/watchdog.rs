//! Finds handlers that still hold their thread after their hard limit.

use std::{sync::Arc, time::Duration};

use tracing::Instrument as _;

use crate::{execution::conclude, limits::Ended, shared::Shared};

/// How long after its hard limit a run counts as stuck: a future that can be dropped is dropped long before.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// How often the table of runs is looked through while one of them has a hard limit.
const TICK: Duration = Duration::from_millis(500);

/// Reports stuck runs by name, and settles their messages in their stead, until dropped.
///
/// It runs beside the pools' threads, not on them: a handler that blocks its thread stops what runs there.
pub(crate) async fn watch<S: Send + Sync + 'static>(shared: Arc<Shared<S>>) {
    loop {
        if shared.running.any_limited() {
            tokio::time::sleep(TICK).await;
        } else {
            shared.running.limited().await;
        }
        for job in shared.running.jobs() {
            let Some(hard) = job.limits.hard else { continue };
            let elapsed = job.started.elapsed();
            if elapsed < hard + GRACE || job.is_settled() {
                continue;
            }
            let stuck = async {
                tracing::error!(task = job.task, task_id = %job.ctx.id(), queue = %job.ctx.queue(), ?elapsed, "stuck: the handler blocks its thread past its hard limit; its slot is lost until it returns");
                conclude(&shared, &job, Ended::Stuck(hard)).await;
            };
            stuck.instrument(job.ctx.span().clone()).await;
        }
    }
}
