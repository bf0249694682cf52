use std::time::Duration;

use celeriac_broker::Broker;
use celeriac_worker::{Worker, WorkerBuilder, worker::Described};

use crate::{
    Error,
    config::{Config, Settings, Sourced, parse},
    output::note,
};

/// What a worker takes; the default command of a user's own binary.
#[derive(Debug, Clone, Default, PartialEq, clap::Args)]
pub(crate) struct Command {
    /// Serve only these queues of those that the program has pools for; apart by commas.
    #[arg(short = 'Q', long, value_name = "NAMES", value_delimiter = ',')]
    queues: Vec<String>,
    /// How many tasks every pool runs at once.
    #[arg(short, long, value_name = "NUMBER", value_parser = parse::at_least_one)]
    concurrency: Option<u16>,
    /// How many deliveries every pool may hold unsettled.
    #[arg(long, value_name = "NUMBER", value_parser = parse::at_least_one)]
    prefetch: Option<u16>,
    /// How long runs in progress may go on after SIGTERM or SIGINT [default: 25s].
    #[arg(long, visible_alias = "drain-timeout", value_name = "DURATION", value_parser = parse::duration)]
    shutdown_timeout: Option<Duration>,
    /// Where to serve /metrics, /livez, /readyz and /startupz, such as 127.0.0.1:9464 [default: nowhere].
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address)]
    metrics_addr: Option<String>,
}

impl Command {
    /// The settings that the command line holds, over `common`.
    pub(crate) fn settings(&self, common: Settings) -> Settings {
        Settings {
            only_queues: (!self.queues.is_empty()).then(|| Sourced::flag("--queues", self.queues.clone())),
            concurrency: self.concurrency.map(|number| Sourced::flag("--concurrency", number)),
            prefetch: self.prefetch.map(|number| Sourced::flag("--prefetch", number)),
            shutdown_timeout: self.shutdown_timeout.map(|timeout| Sourced::flag("--shutdown-timeout", timeout)),
            metrics_addr: self.metrics_addr.clone().map(|address| Sourced::flag("--metrics-addr", address)),
            ..common
        }
    }
}

/// Runs the worker until SIGTERM or SIGINT, and tells what it left behind.
pub(crate) async fn run<S: Send + Sync + 'static>(worker: Worker<S>) -> Result<(), Error> {
    let report = worker.run().await.map_err(Error::worker)?;
    note(&report.to_string());
    Ok(())
}

/// The code's worker with the settings over it.
pub(crate) fn configure<S: Send + Sync + 'static>(
    builder: WorkerBuilder<S>,
    config: &Config,
) -> Result<Worker<S>, Error> {
    let code = builder.described();
    let settings = &config.settings;
    let mut builder = builder.broker(broker(&code, config)?);
    // What the code says is in place already, and where nobody says anything the worker asks its broker.
    if let Some(url) = &settings.locks_url {
        builder = builder.locks_url(url.value.reveal());
    }
    for (name, queue) in &settings.queues {
        let options = queue.options();
        let own = code.queue_defaults.iter().rev().find(|(queue, _)| queue == name).map(|(_, options)| *options);
        builder = builder.queue_defaults(name, options.or(own.unwrap_or_default())).resize_pool(
            name,
            value(queue.concurrency.as_ref()),
            value(queue.prefetch.as_ref()),
        );
        if let Some(queue) = queue.queue(name)? {
            builder = builder.queue(queue);
        }
    }
    if let Some(queues) = &settings.only_queues {
        refuse_unknown(&queues.value, &code)?;
        builder = builder.only_queues(queues.value.iter().map(String::as_str));
    }
    if let Some(concurrency) = value(settings.concurrency.as_ref()) {
        builder = builder.concurrency(concurrency);
    }
    if let Some(prefetch) = value(settings.prefetch.as_ref()) {
        builder = builder.prefetch(prefetch);
    }
    if let Some(timeout) = value(settings.shutdown_timeout.as_ref()) {
        builder = builder.shutdown_timeout(timeout);
    }
    if let Some(address) = &settings.metrics_addr {
        builder = builder.metrics_addr(address.value.as_str());
    }
    builder.build().map_err(Error::worker)
}

/// The broker of the settings; the code's where they name none.
pub(crate) fn broker(code: &Described, config: &Config) -> Result<Broker, Error> {
    if let (Some(broker), None) = (&code.broker, &config.settings.broker_url) {
        return Ok(broker.clone());
    }
    config.broker_over(code.broker_url.as_deref(), &code.queues)
}

/// A worker that waits at a misspelt queue would look healthy and do nothing.
fn refuse_unknown(asked: &[String], code: &Described) -> Result<(), Error> {
    let known: Vec<&str> = code.pools.iter().flat_map(|pool| &pool.queues).map(String::as_str).collect();
    match asked.iter().find(|queue| !known.contains(&queue.as_str())) {
        None => Ok(()),
        Some(queue) => Err(Error::Usage(format!(
            "this program has no pool for the queue {queue:?}; {}",
            crate::config::suggest(queue, &known)
        ))),
    }
}

fn value<T: Copy>(setting: Option<&Sourced<T>>) -> Option<T> {
    setting.map(|setting| setting.value)
}
