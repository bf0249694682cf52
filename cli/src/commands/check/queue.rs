use std::time::Duration;

use celeriac_broker::{Broker, QueueInfo};
use tokio::time::timeout;

use super::{
    GOODBYE, Patience, bounded, refuse_absent_file,
    verdict::{Limits, Report, State},
};
use crate::{Error, config::parse, session::Session, text};

pub(super) const SERVICE: &str = "QUEUE";

/// `celeriac check queue`
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Check {
    /// The queue.
    queue: String,
    /// WARNING when the oldest ready message waits for longer.
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    warn_age: Option<Duration>,
    /// CRITICAL when the oldest ready message waits for longer.
    #[arg(long, value_name = "DURATION", value_parser = parse::duration)]
    crit_age: Option<Duration>,
    /// WARNING when more messages are ready.
    #[arg(long, value_name = "NUMBER", value_parser = parse::number::<u64>)]
    warn_depth: Option<u64>,
    /// CRITICAL when more messages are ready.
    #[arg(long, value_name = "NUMBER", value_parser = parse::number::<u64>)]
    crit_depth: Option<u64>,
    /// WARNING when there are more dead letters.
    #[arg(long, value_name = "NUMBER", value_parser = parse::number::<u64>)]
    warn_dead: Option<u64>,
    /// CRITICAL when there are more dead letters.
    #[arg(long, value_name = "NUMBER", value_parser = parse::number::<u64>)]
    crit_dead: Option<u64>,
    /// CRITICAL when fewer consumers are registered.
    #[arg(long, value_name = "NUMBER", value_parser = parse::number::<u64>)]
    min_consumers: Option<u64>,
    #[command(flatten)]
    patience: Patience,
}

/// What the numbers are compared with.
struct Thresholds {
    age: Limits<Duration>,
    depth: Limits<u64>,
    dead: Limits<u64>,
}

impl Check {
    pub(super) async fn run(&self, session: &Session) -> Result<Report, Error> {
        let thresholds = self.thresholds()?;
        let broker = session.broker()?;
        refuse_absent_file(broker.address())?;
        let whom = format!("the broker at {}", broker.address());
        let report = bounded(SERVICE, &whom, &self.patience, self.look(&thresholds, &broker)).await;
        let _ = timeout(GOODBYE, broker.close()).await;
        Ok(report)
    }

    fn thresholds(&self) -> Result<Thresholds, Error> {
        let thresholds = Thresholds {
            age: Limits::new("age", self.warn_age, self.crit_age)?,
            depth: Limits::new("depth", self.warn_depth, self.crit_depth)?,
            dead: Limits::new("dead", self.warn_dead, self.crit_dead)?,
        };
        let Thresholds { age, depth, dead } = &thresholds;
        if age.is_none() && depth.is_none() && dead.is_none() && self.min_consumers.is_none() {
            return Err(Error::Usage(
                "there is nothing to compare the queue with: give --crit-age 5m, --crit-depth, --crit-dead, \
                 --min-consumers, or --warn-.. of them"
                    .into(),
            ));
        }
        Ok(thresholds)
    }

    async fn look(&self, thresholds: &Thresholds, broker: &Broker) -> Result<Report, Error> {
        let name = broker.queue(&self.queue).map_err(Error::broker("can't use the queue's name"))?.name;
        let look = async |name: &_| {
            let doing = format!("can't look at queue {name}");
            broker.transport().queue(name).await.map_err(Error::broker(doing))
        };
        let Some(info) = look(&name).await? else {
            let address = broker.address();
            let why = format!(
                "there is no queue {name} at {address}: it is misspelt, or nobody has declared it (`celeriac queue declare`)"
            );
            return Ok(Report::of(SERVICE, State::Unknown, why));
        };
        let dead = match name.dead() {
            Ok(dead) => look(&dead).await?,
            Err(_) => None,
        };
        let mut report = Report::new(SERVICE, name.as_str());
        Self::age(&info, thresholds.age, broker, &mut report);
        match info.ready {
            Some(ready) => report.count("ready", ready, thresholds.depth, format!("{} ready", text::count(ready))),
            None if thresholds.depth.is_none() => {}
            None => report.unknown("ready", "the broker does not tell how many messages are ready"),
        }
        match dead.map(|dead| dead.ready) {
            Some(Some(dead)) => report.count("dead", dead, thresholds.dead, text::plural(dead, "dead letter")),
            _ if thresholds.dead.is_none() => {}
            Some(None) => report.unknown("dead", "the broker does not tell how many dead letters there are"),
            None => report.unknown("dead", format!("{name} has no dead letter queue: `celeriac queue declare {name}`")),
        }
        match info.consumers {
            Some(consumers) => {
                report.at_least("consumers", consumers, self.min_consumers, text::plural(consumers, "consumer"));
            }
            None if self.min_consumers.is_none() => {}
            None => report.unknown("consumers", "the broker does not tell how many consumers there are"),
        }
        for (label, value) in [("running", info.running), ("delayed", info.delayed)] {
            if let Some(value) = value {
                report.count(label, value, Limits::NONE, format!("{} {label}", text::count(value)));
            }
        }
        Ok(report)
    }

    fn age(info: &QueueInfo, limits: Limits<Duration>, broker: &Broker, report: &mut Report) {
        // RabbitMQ tells no age. Of an empty queue it would be known, and a check that is blind only when something waits
        // would look right until then.
        let tells = !broker.transport().capabilities().distributed;
        match info.oldest {
            Some(oldest) => {
                report.duration("oldest", oldest, limits, format!("the oldest waits {}", text::rough(oldest)));
            }
            None if tells && info.ready == Some(0) => {
                report.duration("oldest", Duration::ZERO, limits, "nothing waits");
            }
            None if limits.is_none() => {}
            None => report.unknown(
                "oldest",
                "this broker does not tell how old a message is: use --warn-depth, --crit-depth and --min-consumers here, \
                 and Prometheus' alert CeleriacQueueSlow for the time that messages wait",
            ),
        }
    }
}
