use std::time::Duration;

use celeriac_broker::Queue;

use crate::{Error, shared::Shared};

/// How often the queues are looked at.
const TICK: Duration = Duration::from_millis(20);

/// Resolves when nothing is ready, running, delayed or deferred in any of `queues`, seen twice in a row: a message that
/// moves between two queues could hide from one look.
pub(super) async fn reached<S>(shared: &Shared<S>, queues: &[Queue]) -> Result<(), Error> {
    let mut quiet = 0;
    while quiet < 2 {
        tokio::time::sleep(TICK).await;
        quiet = if is_quiet(shared, queues).await? { quiet + 1 } else { 0 };
    }
    Ok(())
}

async fn is_quiet<S>(shared: &Shared<S>, queues: &[Queue]) -> Result<bool, Error> {
    if !shared.running.jobs().is_empty() {
        return Ok(false);
    }
    for queue in queues {
        let Some(info) = shared.broker.transport().queue(&queue.name).await? else { continue };
        if info.ready != Some(0) || info.running.is_some_and(|running| running > 0) {
            return Ok(false);
        }
        let delayed = match info.delayed {
            Some(delayed) => Some(delayed),
            None => shared.broker.transport().delayed(&queue.name).await?,
        };
        match delayed {
            Some(0) => {}
            Some(_) => return Ok(false),
            None => {
                return Err(Error::config("run_until_idle", "this broker can't tell how many messages are delayed"));
            }
        }
    }
    Ok(true)
}
