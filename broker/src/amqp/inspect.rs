//! What can be known of queues.

use std::sync::Arc;

use lapin::{options::QueueDeclareOptions, types::FieldTable};

use super::{
    connection::Link,
    errors::{Fault, NOT_FOUND, said},
    levels::Levels,
    majority::Halted,
    management::{Management, sum},
    topology::{SUSPECT, has_companions, suspect_name},
};
use crate::{QueueInfo, QueueName};

/// What is known of one queue; `None` where it is not there.
pub(super) async fn queue(
    link: Arc<Link>,
    management: Option<&Management>,
    name: &QueueName,
) -> Result<Option<QueueInfo>, Fault> {
    let Some(counts) = look(&link, name.as_str()).await? else { return Ok(None) };
    let mut info =
        QueueInfo { ready: Some(counts.ready), consumers: Some(counts.consumers), ..QueueInfo::unknown(name.clone()) };
    let companions = companions(&link, name).await?;
    for companion in &companions {
        info.ready = sum(info.ready, look(&link, companion).await?.map(|counts| counts.ready).or(Some(0)));
    }
    if let Some(management) = management {
        info.running = Some(0);
        for part in [name.as_str()].into_iter().chain(companions.iter().map(String::as_str)) {
            match management.queue(link.vhost(), part).await {
                Ok(None) => {}
                Ok(Some(defined)) => {
                    if Halted::is_leaderless(&defined) {
                        info.ready = None;
                        info.consumers = info.consumers.filter(|_| part != name.as_str());
                    }
                    info.running = sum(info.running, defined["messages_unacknowledged"].as_u64());
                    info.kind = info.kind.or_else(|| defined["type"].as_str().map(str::to_owned));
                }
                // What AMQP tells is known without it.
                Err(fault) => {
                    tracing::debug!(management = management.shown(), %fault, "running messages are not known");
                    info.running = None;
                    break;
                }
            }
        }
    }
    Ok(Some(info))
}

/// The queues beside a queue that keep messages of its.
pub(super) async fn companions(link: &Link, name: &QueueName) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    if !has_companions(name) {
        return Ok(names);
    }
    names.push(suspect_name(name));
    // Another process may have declared them.
    let first = Levels::PerPriority.name(name, 1);
    if link.declared.is_absent(&first) {
        return Ok(names);
    }
    if look(link, &first).await?.is_some() {
        names.extend(
            (1..=crate::transport::MAX_PRIORITY).map(|priority| Levels::PerPriority.name(name, priority).into()),
        );
    } else {
        link.declared.found_absent(&first);
    }
    Ok(names)
}

/// The queue that a name is a companion of.
pub(super) fn companion_of(name: &str) -> Option<&str> {
    let (base, last) = name.rsplit_once('.')?;
    let level = last.strip_prefix('p').is_some_and(|digit| matches!(digit.as_bytes(), [b'1'..=b'9']));
    (level || SUSPECT.strip_prefix('.') == Some(last)).then_some(base)
}

/// What a passive declaration tells.
pub(super) struct Counts {
    pub(super) ready: u64,
    consumers: u64,
}

/// Looks at one queue; `None` where it is not there.
pub(super) async fn look(link: &Link, name: &str) -> Result<Option<Counts>, Fault> {
    let passive = QueueDeclareOptions::durable().passive();
    // A channel of its own: the broker closes it where there is no such queue.
    match link.channel().await?.queue_declare(name.into(), passive, FieldTable::default()).await {
        Ok(queue) => Ok(Some(Counts { ready: queue.message_count().into(), consumers: queue.consumer_count().into() })),
        Err(error) if said(&error, NOT_FOUND).is_some() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_companion_is_known_by_its_name() {
        assert_eq!(companion_of("a.b.suspect"), Some("a.b"));
        assert_eq!(companion_of("a.p9"), Some("a"));
        for name in ["a.p0", "a.p10", "a.dead", "suspect", "ap1"] {
            assert_eq!(companion_of(name), None, "{name}");
        }
    }
}
