use celeriac_broker::{Broker, Queue, QueueInfo, QueueKind, QueueName, transport::Adoption};
use serde_json::{Value, json};

use crate::{
    Error,
    config::parse,
    output::{confirm, note},
    session::Session,
    text::{self, Table, unknown},
};

/// `celeriac queue ..`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the queues and what waits in them; `-` is what can't be known from here.
    List,
    /// Show one queue and its dead letters.
    Show {
        /// The queue.
        queue: String,
    },
    /// Create a queue and its dead letter queue; one that exists is left as it is, and differences are told.
    Declare(Declare),
    /// Delete every message that is ready in a queue. What runs or waits for its time stays.
    Purge {
        /// The queue.
        queue: String,
        /// Do it without being asked.
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct Declare {
    /// The queue.
    queue: String,
    /// How RabbitMQ keeps it [default: quorum].
    #[arg(long, value_parser = parse::kind, value_name = "quorum|classic")]
    kind: Option<QueueKind>,
    /// Deliver messages of higher priority first.
    #[arg(long)]
    priorities: bool,
    /// Declare only what Celery declares by default: classic, durable, no arguments.
    #[arg(long, conflicts_with_all = ["kind", "priorities"])]
    shared_with_celery: bool,
}

pub(crate) async fn run(command: Command, session: &Session, broker: &Broker) -> Result<(), Error> {
    match command {
        Command::List => list(session, broker).await,
        Command::Show { queue } => show(&queue, session, broker).await,
        Command::Declare(declare) => self::declare(declare, session, broker).await,
        Command::Purge { queue, yes } => purge(&queue, yes, session, broker).await,
    }
}

async fn list(session: &Session, broker: &Broker) -> Result<(), Error> {
    let every = broker.transport().queues().await.map_err(Error::broker("can't list the queues"))?;
    let complete = every.is_some();
    let mut queues = match every {
        Some(queues) => queues,
        None => configured(session, broker).await?,
    };
    queues.sort_by(|a, b| a.name.cmp(&b.name));
    if !complete {
        note(
            "this broker does not list its queues: those of celeriac.toml are shown. \
             Set CELERIAC_MANAGEMENT_URL (or --management) to RabbitMQ's management API to see all",
        );
    }
    let document = json!({"complete": complete, "queues": queues.iter().map(document).collect::<Vec<_>>()});
    session.output.show(&document, || table(&queues))
}

/// The queues of `celeriac.toml` that exist, and their dead letter queues.
async fn configured(session: &Session, broker: &Broker) -> Result<Vec<QueueInfo>, Error> {
    let mut found = Vec::new();
    for queue in session.configured_queues(broker)? {
        let dead = queue.name.dead().map_err(Error::broker("can't name the dead letter queue"))?;
        for name in [queue.name, dead] {
            found.extend(look(broker, &name).await?);
        }
    }
    Ok(found)
}

async fn look(broker: &Broker, name: &QueueName) -> Result<Option<QueueInfo>, Error> {
    broker.transport().queue(name).await.map_err(Error::broker(format!("can't look at queue {name}")))
}

async fn show(queue: &str, session: &Session, broker: &Broker) -> Result<(), Error> {
    let name = name(queue, broker)?.name;
    let Some(mut info) = look(broker, &name).await? else { return Err(missing(&name, broker)) };
    if info.delayed.is_none() {
        info.delayed = broker.transport().delayed(&name).await.map_err(Error::broker("can't count what is delayed"))?;
    }
    let mut shown = vec![info];
    if let Ok(dead) = name.dead() {
        shown.extend(look(broker, &dead).await?);
    }
    let mut document = self::document(&shown[0]);
    document["dead"] = json!(shown.get(1).and_then(|dead| dead.ready));
    session.output.show(&document, || table(&shown))
}

async fn declare(declare: Declare, session: &Session, broker: &Broker) -> Result<(), Error> {
    let mut queue = name(&declare.queue, broker)?;
    if declare.shared_with_celery {
        queue = Queue::shared_with_celery(&declare.queue).map_err(Error::broker("can't name the queue"))?;
    }
    if let Some(kind) = declare.kind {
        queue.kind = kind;
        queue.shared_with_celery = false;
    }
    queue.priorities |= declare.priorities;
    let name = queue.name.clone();
    let doing = format!("can't declare queue {name}");
    let adoption = broker.transport().declare(&queue).await.map_err(Error::broker(doing))?;
    let difference = match adoption {
        Adoption::Adopted { difference } => Some(difference),
        _ => None,
    };
    session.output.show(&json!({"queue": name.as_str(), "difference": difference}), || match &difference {
        None => format!("{name} is there as declared\n"),
        Some(difference) => format!("{name} was there before, and is used as it is: {}\n", text::one_line(difference)),
    })
}

async fn purge(queue: &str, yes: bool, session: &Session, broker: &Broker) -> Result<(), Error> {
    let name = name(queue, broker)?.name;
    let Some(info) = look(broker, &name).await? else { return Err(missing(&name, broker)) };
    let many = info.ready.map_or_else(|| "every ready message".into(), |ready| text::plural(ready, "ready message"));
    confirm(&format!("This deletes {many} of queue {name} at {}.", broker.address()), yes)?;
    let doing = format!("can't purge queue {name}");
    let purged = broker.transport().purge(&name).await.map_err(Error::broker(doing))?;
    session.output.show(&json!({"queue": name.as_str(), "purged": purged}), || {
        format!("deleted {} of {name}\n", text::plural(purged, "message"))
    })
}

pub(super) fn name(queue: &str, broker: &Broker) -> Result<Queue, Error> {
    broker.queue(queue).map_err(Error::broker("can't use the queue's name"))
}

pub(super) fn missing(name: &QueueName, broker: &Broker) -> Error {
    Error::Failed(format!(
        "there is no queue {name} at {}; `celeriac queue list` shows those there are",
        broker.address()
    ))
}

fn document(info: &QueueInfo) -> Value {
    json!({
        "name": info.name.as_str(),
        "kind": info.kind,
        "ready": info.ready,
        "delayed": info.delayed,
        "running": info.running,
        "consumers": info.consumers,
        "oldest_seconds": info.oldest.map(|oldest| oldest.as_secs_f64()),
    })
}

fn table(queues: &[QueueInfo]) -> String {
    let mut table = Table::new(&["QUEUE", "KIND", "READY", "DELAYED", "RUNNING", "CONSUMERS", "OLDEST"]);
    let number = |number: Option<u64>| number.map_or_else(unknown, |number| number.to_string());
    for info in queues {
        table.row([
            info.name.to_string(),
            info.kind.clone().unwrap_or_else(unknown),
            number(info.ready),
            number(info.delayed),
            number(info.running),
            number(info.consumers),
            info.oldest.map_or_else(unknown, text::rough),
        ]);
    }
    table.render()
}
