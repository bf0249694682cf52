use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use celeriac_broker::{
    Broker, Message, Queue, QueueName,
    message::names,
    transport::{Finding, Severity, Verdict},
};
use celeriac_mutex::store;
use serde_json::json;

use crate::{
    Error,
    config::LockStore,
    session::Session,
    text::{self, Table},
};

/// Clocks this close count as equal.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(2);

/// Dead letters whose instants are compared, per queue.
const CLOCK_SAMPLES: usize = 100;

/// `celeriac doctor`
#[derive(Debug, clap::Args)]
pub(crate) struct Command {
    /// Queues to look at, beside those that celeriac.toml describes and the broker lists.
    #[arg(value_name = "QUEUE")]
    queues: Vec<String>,
}

pub(crate) async fn run(command: Command, session: &Session, broker: &Broker) -> Result<(), Error> {
    let mut findings = examine(&command, session, broker).await?;
    let store = session.lock_store()?;
    findings.extend(locks(store.as_ref()).await);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let healthy = findings.iter().all(|finding| finding.severity < Severity::Error);
    let document = json!({
        "broker": broker.address(),
        "locks": store.as_ref().map(|store| &store.address),
        "healthy": healthy,
        "findings": findings.iter().map(|finding| json!({
            "severity": word(finding.severity),
            "subject": finding.subject,
            "text": finding.text,
        })).collect::<Vec<_>>(),
    });
    session.output.show(&document, || table(&findings))?;
    if healthy { Ok(()) } else { Err(Error::Unhealthy) }
}

async fn examine(command: &Command, session: &Session, broker: &Broker) -> Result<Vec<Finding>, Error> {
    let queues = queues(command, session, broker).await?;
    if let Err(fault) = broker.transport().ping().await {
        let fault = Error::broker("it can't be used")(fault).line();
        return Ok(vec![Finding::new(Severity::Error, "broker", fault)]);
    }
    let mut findings = match broker.transport().diagnose(&queues).await {
        Ok(findings) => findings,
        Err(fault) => {
            vec![Finding::new(Severity::Error, "broker", Error::broker("it can't be examined")(fault).line())]
        }
    };
    findings.extend(clocks(&queues, broker).await);
    Ok(findings)
}

/// What the lock store says of itself. It does no harm to have none, as long as no task takes a lease.
async fn locks(store: Option<&LockStore>) -> Vec<Finding> {
    let Some(LockStore { locks, .. }) = store else {
        let text = "no lock store is named; tasks that hold leases need one: set CELERIAC_LOCKS_URL";
        return vec![Finding::new(Severity::Unknown, "locks", text)];
    };
    let findings = match locks.diagnose().await {
        Ok(findings) => findings.into_iter().map(of_locks).collect(),
        Err(fault) => {
            vec![Finding::new(Severity::Error, "locks", Error::locks("they can't be examined")(fault).line())]
        }
    };
    locks.close().await;
    findings
}

fn of_locks(finding: store::Finding) -> Finding {
    let severity = match finding.severity {
        store::Severity::Ok => Severity::Fine,
        store::Severity::Warning => Severity::Warning,
        store::Severity::Error => Severity::Error,
    };
    Finding::new(severity, format!("locks: {}", finding.check), finding.text)
}

/// Those that are named, configured, or listed by the broker and ours; without dead letter queues, which go with theirs.
async fn queues(command: &Command, session: &Session, broker: &Broker) -> Result<Vec<Queue>, Error> {
    let mut queues = session.configured_queues(broker)?;
    for name in &command.queues {
        queues.push(super::queue::name(name, broker)?);
    }
    if let Ok(Some(listed)) = broker.transport().queues().await {
        let names: BTreeSet<&str> = listed.iter().map(|info| info.name.as_str()).collect();
        // Those of other programs have no dead letter queue; to compare them would be to create one.
        let ours = names.iter().filter(|name| names.contains(&*format!("{name}.dead")));
        queues.extend(ours.filter_map(|name| broker.queue(name).ok()));
    }
    queues.sort_by(|a, b| a.name.cmp(&b.name));
    queues.dedup_by(|a, b| a.name == b.name);
    Ok(queues)
}

/// Compares the instants that publishers and workers wrote into dead letters with each other and with this machine's
/// clock. Only dead letters: looking at a live queue would count as a delivery.
async fn clocks(queues: &[Queue], broker: &Broker) -> Vec<Finding> {
    let now = broker.clock().now();
    let (mut seen, mut worst) = (0_u64, None::<(Duration, QueueName, &str)>);
    for queue in queues {
        let Ok(dead) = queue.name.dead() else { continue };
        // One whose number is unknown may have no leader: RabbitMQ does not answer who reads it.
        if !matches!(broker.transport().queue(&dead).await, Ok(Some(info)) if info.ready.is_some_and(|ready| ready > 0))
        {
            continue;
        }
        let mut visit = |message: &Message| {
            seen += 1;
            if let Some((skew, who)) = skew(message, now)
                && worst.as_ref().is_none_or(|(known, ..)| skew > *known)
            {
                worst = Some((skew, queue.name.clone(), who));
            }
            Verdict::Keep
        };
        // A queue that can't be read has a finding of its own.
        let _ = broker.transport().sweep(&dead, CLOCK_SAMPLES, &mut visit).await;
    }
    vec![match worst {
        Some((skew, queue, who)) => Finding::new(
            Severity::Warning,
            "clocks",
            format!(
                "{who} by {} (seen in a dead letter of {queue}); delays are early or late by as much: run NTP on every machine",
                text::duration(Duration::from_millis(u64::try_from(skew.as_millis()).unwrap_or(u64::MAX)))
            ),
        ),
        None if seen == 0 => {
            let text = "no dead letter to compare the clocks of publishers and workers by";
            Finding::new(Severity::Unknown, "clocks", text)
        }
        None => Finding::new(
            Severity::Fine,
            "clocks",
            format!("publishers, workers and this machine agree in {}", text::plural(seen, "dead letter")),
        ),
    }]
}

/// The largest contradiction between the instants in one dead letter.
fn skew(message: &Message, now: SystemTime) -> Option<(Duration, &'static str)> {
    let published = message.headers.instant(names::PUBLISHED_AT);
    let died = message.headers.instant(names::DEAD_AT);
    let ahead = |later: Option<SystemTime>, earlier: Option<SystemTime>| later?.duration_since(earlier?).ok();
    [
        (ahead(published, Some(now)), "a publisher's clock is ahead of this machine's"),
        (ahead(died, Some(now)), "a worker's clock is ahead of this machine's"),
        (ahead(published, died), "a publisher's clock is ahead of a worker's"),
    ]
    .into_iter()
    .filter_map(|(skew, who)| Some((skew.filter(|skew| *skew > CLOCK_TOLERANCE)?, who)))
    .max_by_key(|(skew, _)| *skew)
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Fine => "ok",
        Severity::Unknown => "unknown",
        Severity::Warning => "warning",
        _ => "error",
    }
}

fn table(findings: &[Finding]) -> String {
    let mut table = Table::new(&["STATUS", "SUBJECT", "FINDING"]);
    for finding in findings {
        table.row([word(finding.severity).to_owned(), finding.subject.clone(), finding.text.clone()]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use celeriac_broker::{Headers, Properties};

    use super::*;

    fn letter(published: Duration, died: Duration) -> Message {
        let mut headers = Headers::default();
        headers.set_instant(names::PUBLISHED_AT, SystemTime::UNIX_EPOCH + published);
        headers.set_instant(names::DEAD_AT, SystemTime::UNIX_EPOCH + died);
        Message::new(Properties::default(), headers, Vec::new())
    }

    #[test]
    fn clocks_that_contradict_each_other_are_named() {
        let at = Duration::from_secs;
        let now = SystemTime::UNIX_EPOCH + at(1000);
        assert_eq!(skew(&letter(at(900), at(910)), now), None);
        assert_eq!(skew(&letter(at(911), at(910)), now), None);
        let (skew_of, who) = skew(&letter(at(950), at(910)), now).unwrap();
        assert_eq!((skew_of, who), (at(40), "a publisher's clock is ahead of a worker's"));
        let (_, who) = skew(&letter(at(900), at(1100)), now).unwrap();
        assert_eq!(who, "a worker's clock is ahead of this machine's");
    }
}
