//! Looking through a queue without consuming it.

use std::collections::HashSet;

use lapin::{
    message::BasicGetMessage,
    options::{BasicAckOptions, BasicGetOptions, BasicNackOptions},
};

use super::{
    AmqpTransport,
    errors::{Fault, NOT_FOUND, said},
    table,
};
use crate::{
    Error, Message, QueueName,
    transport::{Swept, Verdict},
};

/// Gets one message after the other and leaves those that are kept unacknowledged: they go back at the end, the first of them in their
/// order. To the broker that is a return, which counts as a delivery; dead letter queues have no limit.
pub(super) async fn sweep(
    transport: &AmqpTransport,
    name: &QueueName,
    limit: usize,
    visit: &mut (dyn for<'m> FnMut(&'m Message) -> Verdict + Send),
) -> Result<Swept, Error> {
    let mut swept = Swept::default();
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    let channel = transport.ask(async |link| link.channel().await).await?;
    // Copies that a verdict put into this same queue: whoever meets one has seen all that was there before.
    let mut again = HashSet::new();
    let mut kept = None;
    while swept.seen < limit {
        let getting = async {
            match channel.basic_get(name.as_str().into(), BasicGetOptions { no_ack: false }).await {
                Ok(got) => Ok(got),
                Err(error) if said(&error, NOT_FOUND).is_some() => Ok(None),
                Err(error) => Err(Fault::from(error)),
            }
        };
        let Some(BasicGetMessage { delivery, .. }) = transport.bounded(getting).await? else { break };
        let before = kept.replace(delivery.delivery_tag);
        let message = table::message(&delivery.properties, delivery.data);
        if again.contains(&message.id()) {
            break;
        }
        let counter = match visit(&message) {
            Verdict::Stop => break,
            Verdict::Keep => {
                swept.seen += 1;
                continue;
            }
            Verdict::Delete => &mut swept.deleted,
            Verdict::Move(to, copy) => {
                transport.publisher.publish(&to, &copy).await?;
                if to.queue.name == *name {
                    again.insert(copy.id());
                }
                &mut swept.moved
            }
        };
        let ack = async { Ok(channel.basic_ack(delivery.delivery_tag, BasicAckOptions::default()).await?) };
        transport.bounded(ack).await?;
        kept = before;
        *counter += 1;
        swept.seen += 1;
    }
    // Left to the end of the channel, they would go back in any order. Given back with one command, the first 32 keep theirs; those
    // beyond were seen to be mixed, perhaps because no more returns are under way within the broker at once.
    if let Some(last) = kept {
        let all = BasicNackOptions { multiple: true, requeue: true };
        let _ = transport.bounded(async { Ok(channel.basic_nack(last, all).await?) }).await;
    }
    // Waits until the broker has taken back what was kept: whoever looks next sees all of it.
    let _ = channel.close(200, "swept".into()).await;
    Ok(swept)
}
