//! What an operator should know.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use super::{
    connection::Link,
    delay::{self, UNDELIVERABLE},
    errors::Fault,
    inspect::{self, companion_of, look},
    majority::Halted,
    management::Management,
    probe::Server,
    topology::has_companions,
};
use crate::{
    Queue, QueueName,
    transport::{Adoption, Finding, Severity},
};

/// At-least-once dead-lettering and the expiry of messages in quorum queues came with it.
const OLDEST: (u32, u32) = (3, 10);

/// No server of this version or above starts without the feature flag `stream_queue`. The management API goes on telling the leader that a
/// queue had: seen on 4.0, where `rabbitmqctl` is right.
const FOURTH: (u32, u32) = (4, 0);

pub(super) async fn diagnose(
    link: Arc<Link>,
    management: Option<&Management>,
    queues: &[Queue],
) -> Result<Vec<Finding>, Fault> {
    let mut findings = vec![server(&link).await?];
    findings.push(alarms(management).await);
    findings.extend(leaders(&link, management, queues).await);
    for queue in queues {
        findings.push(topology(&link, queue).await?);
        if has_companions(&queue.name) {
            findings.extend(dead_letters(&link, management, queue).await?);
        }
        findings.push(consumer_timeout(&link, management, queue).await);
    }
    findings.push(delays(&link).await);
    findings.extend(undeliverable(&link).await?);
    findings.push(stream_queue(link.server().await?, management).await);
    findings.push(clocks(management).await);
    Ok(findings)
}

async fn server(link: &Link) -> Result<Finding, Fault> {
    let server = link.server().await?;
    let text = format!("{} {}", server.product, server.version);
    Ok(if server.version_numbers() < OLDEST {
        Finding::new(
            Severity::Error,
            "broker",
            format!("{text} is too old: delays and dead letters need RabbitMQ 3.10"),
        )
    } else {
        Finding::new(Severity::Fine, "broker", text)
    })
}

async fn alarms(management: Option<&Management>) -> Finding {
    const SUBJECT: &str = "alarms";
    let ask = "`rabbitmq-diagnostics check_local_alarms` tells";
    let Some(management) = management else {
        return Finding::new(Severity::Unknown, SUBJECT, format!("set CELERIAC_MANAGEMENT_URL to know; {ask}"));
    };
    match management.alarms().await {
        Ok(Some(alarms)) if alarms.is_empty() => {
            Finding::new(Severity::Fine, SUBJECT, "none; publishers are not blocked")
        }
        Ok(Some(alarms)) => {
            let text = format!("{}: publishers are blocked until there is room", alarms.join(", "));
            Finding::new(Severity::Error, SUBJECT, text)
        }
        Ok(None) => Finding::new(Severity::Unknown, SUBJECT, format!("this server does not tell them; {ask}")),
        Err(fault) => Finding::new(Severity::Unknown, SUBJECT, format!("{} says: {fault}", management.shown())),
    }
}

/// Looks at these queues, those that go with them, and those of delays.
async fn leaders(link: &Link, management: Option<&Management>, queues: &[Queue]) -> Vec<Finding> {
    const SUBJECT: &str = "leaders of queues";
    let unknown = |text| vec![Finding::new(Severity::Unknown, SUBJECT, text)];
    let Some(management) = management else {
        return unknown("set CELERIAC_MANAGEMENT_URL to know; `rabbitmq-queues quorum_status QUEUE` tells".into());
    };
    let listed = match management.definitions(link.vhost()).await {
        Ok(listed) => listed,
        Err(fault) => return unknown(format!("{} says: {fault}", management.shown())),
    };
    let concerns = |name: &str| {
        let base = companion_of(name).or_else(|| name.strip_suffix(".dead")).unwrap_or(name);
        name.starts_with("celeriac.") || queues.iter().any(|queue| [name, base].contains(&queue.name.as_str()))
    };
    let halted = |queue: &Value| {
        let name = queue["name"].as_str().filter(|name| concerns(name))?;
        let text = format!("{}; see `rabbitmq-queues quorum_status {name}`", Halted::of(queue)?);
        Some(Finding::new(Severity::Error, format!("queue {name}"), text))
    };
    let mut findings: Vec<_> = listed.iter().filter_map(halted).collect();
    if findings.is_empty() {
        findings.push(if link.server().await.is_ok_and(|server| server.version_numbers() < FOURTH) {
            Finding::new(Severity::Fine, SUBJECT, "each has one, and a majority of its members")
        } else {
            let text = "each had one; whether it has, `rabbitmqctl list_queues name leader online state` tells";
            Finding::new(Severity::Unknown, SUBJECT, text)
        });
    }
    findings
}

async fn topology(link: &Link, queue: &Queue) -> Result<Finding, Fault> {
    let subject = format!("queue {}", queue.name);
    if look(link, queue.name.as_str()).await?.is_none() {
        let text = "it is not there yet; the first publish or worker creates it";
        return Ok(Finding::new(Severity::Warning, subject, text));
    }
    // It is there, so declaring it does no more than compare.
    link.declared.forget(&queue.name);
    Ok(match link.declare(queue, None).await?.adoption {
        Adoption::AsDeclared => Finding::new(Severity::Fine, subject, "as declared"),
        Adoption::Adopted { difference } => Finding::new(
            Severity::Warning,
            subject,
            format!("used as it is, with other arguments than declared: {difference}"),
        ),
    })
}

async fn dead_letters(
    link: &Arc<Link>,
    management: Option<&Management>,
    queue: &Queue,
) -> Result<Option<Finding>, Fault> {
    let Ok(name) = queue.name.dead() else { return Ok(None) };
    let Some(info) = inspect::queue(link.clone(), management, &name).await? else { return Ok(None) };
    let (severity, text) = match info.ready {
        Some(0) => (Severity::Fine, "no dead letters".to_owned()),
        Some(1) => (Severity::Warning, "1 dead letter".to_owned()),
        Some(count) => (Severity::Warning, format!("{count} dead letters")),
        None => (Severity::Unknown, "dead letters can't be counted".to_owned()),
    };
    Ok(Some(Finding::new(severity, format!("queue {name}"), text)))
}

async fn undeliverable(link: &Link) -> Result<Option<Finding>, Fault> {
    let count = look(link, UNDELIVERABLE).await?.map_or(0, |counts| counts.ready);
    Ok((count > 0).then(|| {
        let text = format!("{count} delayed messages whose queue was gone when their time came");
        Finding::new(Severity::Warning, format!("queue {UNDELIVERABLE}"), text)
    }))
}

async fn delays(link: &Link) -> Finding {
    match delay::verify(link).await {
        Ok(()) => Finding::new(Severity::Fine, "delays", "every level is there"),
        Err(fault) => Finding::new(
            Severity::Warning,
            "delays",
            format!("a level is missing, and is created with the next delayed publish: {fault}"),
        ),
    }
}

async fn stream_queue(server: &Server, management: Option<&Management>) -> Finding {
    const SUBJECT: &str = "feature flag stream_queue";
    let enable = "delays and dead letters need it: rabbitmqctl enable_feature_flag stream_queue";
    if server.version_numbers() >= FOURTH {
        return Finding::new(Severity::Fine, SUBJECT, "on, as always since RabbitMQ 4.0");
    }
    let Some(management) = management else {
        return Finding::new(Severity::Unknown, SUBJECT, format!("set CELERIAC_MANAGEMENT_URL to know; {enable}"));
    };
    match management.feature_flag("stream_queue").await {
        // A server that does not know it any more has it for good.
        Ok(None | Some(true)) => Finding::new(Severity::Fine, SUBJECT, "on"),
        Ok(Some(false)) => Finding::new(Severity::Error, SUBJECT, format!("off; {enable}")),
        Err(fault) => Finding::new(Severity::Unknown, SUBJECT, format!("{} says: {fault}", management.shown())),
    }
}

/// How far two clocks may differ before it matters to people; the API tells whole seconds.
const CLOCK_TOLERANCE: i64 = 2;

async fn clocks(management: Option<&Management>) -> Finding {
    const SUBJECT: &str = "clocks";
    let Some(management) = management else {
        let text =
            "AMQP does not tell the broker's time; set CELERIAC_MANAGEMENT_URL to compare it with this machine's";
        return Finding::new(Severity::Unknown, SUBJECT, text);
    };
    match management.clock_offset().await {
        Ok(offset) if offset.abs() <= CLOCK_TOLERANCE => {
            Finding::new(Severity::Fine, SUBJECT, "the broker's and this machine's agree to two seconds")
        }
        Ok(offset) => {
            let side = if offset > 0 { "ahead of" } else { "behind" };
            let text = format!(
                "the broker's is {} s {side} this machine's: delays and retries keep their order, but eta and expires of other \
                 machines mean another moment; run NTP on both",
                offset.abs()
            );
            Finding::new(Severity::Warning, SUBJECT, text)
        }
        Err(fault) => Finding::new(Severity::Unknown, SUBJECT, format!("{} says: {fault}", management.shown())),
    }
}

/// What a queue's argument or a policy says. The server's own setting is told by no API.
pub(super) async fn known_consumer_timeout(
    link: &Link,
    management: &Management,
    queue: &QueueName,
) -> Option<Duration> {
    let defined = management.queue(link.vhost(), queue.as_str()).await.ok()??;
    let millis = defined["arguments"]["x-consumer-timeout"].as_u64();
    let millis = millis.or_else(|| defined["effective_policy_definition"]["consumer-timeout"].as_u64());
    millis.map(Duration::from_millis)
}

async fn consumer_timeout(link: &Link, management: Option<&Management>, queue: &Queue) -> Finding {
    let subject = format!("consumer timeout of {}", queue.name);
    if let Some(management) = management
        && let Some(timeout) = known_consumer_timeout(link, management, &queue.name).await
    {
        return Finding::new(Severity::Fine, subject, format!("{} s", timeout.as_secs()));
    }
    Finding::new(
        Severity::Unknown,
        subject,
        "30 minutes are assumed; longer tasks need a longer consumer_timeout (in milliseconds) in rabbitmq.conf",
    )
}
