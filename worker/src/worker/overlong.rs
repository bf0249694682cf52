use std::time::Duration;

use celeriac_broker::{Queue, TaskOptions};

use crate::shared::Shared;

/// What a run may need beyond its hard limit, to be settled.
const MARGIN: Duration = Duration::from_secs(60);

/// Says which hard limits are above what the broker lets a delivery stay unsettled: it would take such a task back while it runs.
pub(super) async fn warn<S: Send + Sync + 'static>(shared: &Shared<S>, queues: &[Queue]) {
    for queue in queues {
        let tasks = shared
            .registry
            .iter()
            .filter(|runnable| runnable.options().queue.unwrap_or(TaskOptions::DEFAULT_QUEUE) == queue.name.as_str());
        let limits = tasks.filter_map(|runnable| {
            Some((runnable.name(), shared.options(runnable.options(), &queue.name).time_limit?))
        });
        let Some((task, limit)) = limits.max_by_key(|(_, limit)| *limit) else { continue };
        let Some(timeout) = shared.broker.transport().consumer_timeout(&queue.name).await else { continue };
        if limit >= timeout {
            tracing::warn!(
                queue = %queue.name,
                task,
                ?limit,
                ?timeout,
                "the hard limit is above the broker's consumer timeout, after which it takes a running task back; \
                 in rabbitmq.conf: consumer_timeout = {}",
                (limit + MARGIN).as_millis()
            );
        }
    }
}
