use std::time::{Duration, SystemTime};

use celeriac_broker::{Broker, TaskOptions};
use serde_json::{Map, Value, json};

use crate::{
    Error,
    config::QueueSettings,
    session::Session,
    text::{parse_duration, parse_instant},
};

/// `celeriac task ..`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Publish a task by its name; any worker, Celery's too, can run it.
    Send(Send),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Send {
    /// The task's name on the wire.
    name: String,
    /// The arguments as JSON: a list by position, or an object by name.
    #[arg(long, value_name = "JSON", default_value = "[]", value_parser = arguments)]
    args: Arguments,
    /// The queue.
    #[arg(long, short = 'q', value_name = "QUEUE", default_value = TaskOptions::DEFAULT_QUEUE)]
    queue: String,
    /// Wait this long first: 500ms, 5s, 1h30m; at most 300d.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    delay: Option<Duration>,
    /// Wait until this instant: 2030-01-31T12:00:00Z.
    #[arg(long, value_name = "INSTANT", value_parser = parse_instant, conflicts_with = "delay")]
    eta: Option<SystemTime>,
    /// Do not run it once it is older than this, delay included.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    expires: Option<Duration>,
    /// 0 (lowest) to 9.
    #[arg(long, value_name = "0-9", value_parser = clap::value_parser!(u8).range(0..=9))]
    priority: Option<u8>,
    /// An id of your own; the same id again makes a duplicate visible.
    #[arg(long)]
    id: Option<String>,
}

/// Arguments by position or by name.
#[derive(Debug, Clone, PartialEq)]
enum Arguments {
    Positional(Vec<Value>),
    Named(Map<String, Value>),
}

fn arguments(text: &str) -> Result<Arguments, String> {
    match serde_json::from_str(text) {
        Ok(Value::Array(args)) => Ok(Arguments::Positional(args)),
        Ok(Value::Object(kwargs)) => Ok(Arguments::Named(kwargs)),
        Ok(_) => Err("it is neither a list nor an object; write [1, 2] or {\"x\": 1, \"y\": 2}".into()),
        Err(fault) => Err(format!("it is no JSON: {fault}")),
    }
}

pub(crate) async fn run(command: Command, session: &Session, broker: &Broker) -> Result<(), Error> {
    let Command::Send(send) = command;
    let (args, kwargs) = match send.args {
        Arguments::Positional(args) => (args, Map::new()),
        Arguments::Named(kwargs) => (Vec::new(), kwargs),
    };
    let settings = session.config.settings.queues.get(&send.queue);
    let defaults = settings.map(QueueSettings::options).unwrap_or_default();
    let mut draft = broker.task_named(&send.name, args, kwargs).queue(&send.queue);
    if let Some(delay) = send.delay {
        draft = draft.delay(delay);
    }
    if let Some(eta) = send.eta {
        draft = draft.eta(eta);
    }
    if let Some(expires) = send.expires.or(defaults.expires) {
        draft = draft.expires(expires);
    }
    if let Some(priority) = send.priority.or(defaults.priority) {
        draft = draft.priority(priority);
    }
    if let Some(id) = send.id {
        draft = draft.id(id);
    }
    let published = draft.publish().await.map_err(Error::broker(format!("can't publish {}", send.name)))?;
    let document = json!({"id": published.id.as_str(), "queue": published.queue.as_str(), "task": send.name});
    session.output.show(&document, || format!("{} waits in {}\n", published.id, published.queue))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_a_list_or_an_object() {
        assert_eq!(arguments("[1]"), Ok(Arguments::Positional(vec![json!(1)])));
        assert!(matches!(arguments("{\"x\": 1}"), Ok(Arguments::Named(_))));
        assert!(arguments("3").unwrap_err().contains("neither"));
        assert!(arguments("[1").unwrap_err().contains("no JSON"));
    }
}
