use std::time::Duration;

use celeriac_broker::{Backoff, Broker, BrokerBuilder};
use serde_json::{Value, json};

use super::{Origin, QueueSettings, SecretUrls, Settings, Sourced, parse};
use crate::text;

/// The default of `shutdown_timeout`.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(25);

/// One setting, as it is shown: passwords masked.
#[derive(Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// Every setting that has a value, with where it comes from.
pub(crate) fn rows(settings: &Settings) -> Vec<Row> {
    let seconds = |duration: &Duration| json!(text::duration(*duration));
    let shown = |urls: &SecretUrls| json!(urls.to_string());
    let mut rows = Rows(Vec::new());
    rows.or("broker_url", settings.broker_url.as_ref(), shown, json!(Broker::DEFAULT_URL));
    rows.or("management_url", settings.management_url.as_ref(), shown, Value::Null);
    let file = settings.default_locks_url().as_ref().map_or(Value::Null, shown);
    rows.or("locks_url", settings.locks_url.as_ref(), shown, file);
    let timeout = seconds(&BrokerBuilder::DEFAULT_PUBLISH_TIMEOUT);
    rows.or("publish_timeout", settings.publish_timeout.as_ref(), seconds, timeout);
    let bytes = json!(Broker::DEFAULT_MAX_MESSAGE_BYTES);
    rows.or("max_message_bytes", settings.max_message_bytes.as_ref(), |bytes| json!(bytes), bytes);
    rows.or("shutdown_timeout", settings.shutdown_timeout.as_ref(), seconds, seconds(&SHUTDOWN_TIMEOUT));
    let format = crate::LogFormat::default().as_str();
    rows.or("log_format", settings.log_format.as_ref(), |format| json!(format.as_str()), json!(format));
    rows.or("metrics_addr", settings.metrics_addr.as_ref(), |address| json!(address), Value::Null);
    rows.some("only_queues", settings.only_queues.as_ref(), |names| json!(names));
    rows.some("concurrency", settings.concurrency.as_ref(), |number| json!(number));
    rows.some("prefetch", settings.prefetch.as_ref(), |number| json!(number));
    for (name, queue) in &settings.queues {
        rows.queue(name, queue);
    }
    rows.0
}

struct Rows(Vec<Row>);

impl Rows {
    fn some<T>(&mut self, name: &str, setting: Option<&Sourced<T>>, show: impl Fn(&T) -> Value) {
        if let Some(setting) = setting {
            self.0.push(Row { name: name.into(), value: show(&setting.value), origin: setting.origin.clone() });
        }
    }

    fn or<T>(&mut self, name: &str, setting: Option<&Sourced<T>>, show: impl Fn(&T) -> Value, default: Value) {
        match setting {
            Some(_) => self.some(name, setting, show),
            None => self.0.push(Row { name: name.into(), value: default, origin: Origin::Default }),
        }
    }

    fn queue(&mut self, name: &str, queue: &QueueSettings) {
        // As TOML would write it: a name with a dot stands in quotes.
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let prefix = if plain { format!("queues.{name}.") } else { format!("queues.{name:?}.") };
        let at = |key: &str| format!("{prefix}{key}");
        let seconds = |duration: &Duration| json!(text::duration(*duration));
        self.some(&at("kind"), queue.kind.as_ref(), |kind| json!(parse::kind_name(*kind)));
        self.some(&at("priorities"), queue.priorities.as_ref(), |on| json!(on));
        self.some(&at("shared_with_celery"), queue.shared_with_celery.as_ref(), |on| json!(on));
        self.some(&at("concurrency"), queue.concurrency.as_ref(), |number| json!(number));
        self.some(&at("prefetch"), queue.prefetch.as_ref(), |number| json!(number));
        self.some(&at("soft_time_limit"), queue.soft_time_limit.as_ref(), seconds);
        self.some(&at("time_limit"), queue.time_limit.as_ref(), seconds);
        self.some(&at("deadline"), queue.deadline.as_ref(), seconds);
        self.some(&at("expires"), queue.expires.as_ref(), seconds);
        self.some(&at("priority"), queue.priority.as_ref(), |number| json!(number));
        self.some(&at("retry.max_attempts"), queue.max_attempts.as_ref(), |number| json!(number));
        self.some(&at("retry.backoff"), queue.backoff.as_ref(), |backoff| json!(shown_backoff(*backoff)));
        self.some(&at("retry.jitter"), queue.jitter.as_ref(), |jitter| json!(parse::jitter_name(*jitter)));
    }
}

fn shown_backoff(backoff: Backoff) -> String {
    format!("{}..{}", text::duration(backoff.base), text::duration(backoff.cap))
}
