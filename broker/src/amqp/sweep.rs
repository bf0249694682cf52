//! Looking through a queue without consuming it.

use lapin::{
    message::BasicGetMessage,
    options::{BasicAckOptions, BasicGetOptions},
};

use super::{
    AmqpTransport,
    errors::{Fault, NOT_FOUND, said},
    table,
};
use crate::{
    Error, Message, QueueName, Transport as _,
    transport::{Swept, Verdict},
};

/// Gets one message after the other and leaves those that are kept unacknowledged: they go back, in their order, when the
/// channel closes at the end. To the broker that is a return, which counts as a delivery; dead letter queues have no limit.
pub(super) async fn sweep(
    transport: &AmqpTransport,
    name: &QueueName,
    limit: usize,
    visit: &mut (dyn for<'m> FnMut(&'m Message) -> Verdict + Send),
) -> Result<Swept, Error> {
    let mut swept = Swept::default();
    let channel = transport.ask(async |link| link.channel().await).await?;
    // Not more than there are now: what a verdict publishes to the same queue would be looked at again.
    let there = transport.queue(name).await?.and_then(|info| info.ready).unwrap_or(0);
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).min(there);
    while swept.seen < limit {
        let getting = async {
            match channel.basic_get(name.as_str().into(), BasicGetOptions { no_ack: false }).await {
                Ok(got) => Ok(got),
                Err(error) if said(&error, NOT_FOUND).is_some() => Ok(None),
                Err(error) => Err(Fault::from(error)),
            }
        };
        let Some(got) = transport.bounded(getting).await? else { break };
        let BasicGetMessage { delivery, .. } = got;
        let message = table::message(&delivery.properties, delivery.data);
        let verdict = visit(&message);
        let counter = match verdict {
            Verdict::Stop => break,
            Verdict::Keep => {
                swept.seen += 1;
                continue;
            }
            Verdict::Delete => &mut swept.deleted,
            Verdict::Move(to, copy) => {
                transport.publisher.publish(&to, &copy).await?;
                &mut swept.moved
            }
        };
        let ack = async { Ok(channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await?) };
        transport.bounded(ack).await?;
        *counter += 1;
        swept.seen += 1;
    }
    // Waits until the broker has taken back what was kept: whoever looks next sees all of it.
    let _ = channel.close(200, "swept".into()).await;
    Ok(swept)
}
