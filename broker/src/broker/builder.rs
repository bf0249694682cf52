use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{Broker, Inner};
use crate::{BrokerUrl, Error, Queue, QueueName, Transport, memory::MemoryTransport, stats::Counts};

/// Settings of a [`Broker`]. Nothing connects before the broker is used.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct BrokerBuilder {
    urls: Vec<String>,
    management_url: Option<String>,
    queues: HashMap<QueueName, Queue>,
    max_message_bytes: Option<usize>,
    publish_timeout: Option<Duration>,
}

/// What a transport is built from.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "amqp"), allow(dead_code, reason = "each transport reads what it needs"))]
pub(crate) struct TransportSettings {
    /// The addresses, tried in turn; the first one decides the transport.
    pub(crate) urls: Vec<BrokerUrl>,
    /// RabbitMQ's management API.
    pub(crate) management_url: Option<BrokerUrl>,
    /// The longest that a publish may take.
    pub(crate) publish_timeout: Duration,
}

impl BrokerBuilder {
    /// The default of [`publish_timeout`](Self::publish_timeout): 5 s.
    pub const DEFAULT_PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);

    /// The address; several are separated by commas, or given by several calls, and are tried in turn.
    /// Default: `CELERIAC_BROKER_URL`, else `sqlite://celeriac.db`.
    pub fn url(mut self, url: &str) -> Self {
        self.urls.extend(url.split(',').map(|url| url.trim().to_owned()).filter(|url| !url.is_empty()));
        self
    }

    /// RabbitMQ's management API, for what AMQP can't tell. Default: `CELERIAC_MANAGEMENT_URL`, else none.
    pub fn management_url(mut self, url: &str) -> Self {
        self.management_url = Some(url.to_owned());
        self
    }

    /// Describes a queue that differs from the default. A later description of the same queue wins.
    pub fn queue(mut self, queue: Queue) -> Self {
        self.queues.insert(queue.name.clone(), queue);
        self
    }

    /// The largest body that is published or run, in bytes. Default: 16 MiB.
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = Some(bytes);
        self
    }

    /// The longest that a publish may take before it fails. Default: 5 s.
    pub fn publish_timeout(mut self, timeout: Duration) -> Self {
        self.publish_timeout = Some(timeout);
        self
    }

    /// Checks the settings. No I/O.
    ///
    /// # Errors
    /// [`Error::Config`] for an address that can't be read, a scheme that is unknown or was not compiled in.
    pub fn build(mut self) -> Result<Broker, Error> {
        if self.urls.is_empty() {
            let url = std::env::var(Broker::URL_VARIABLE).unwrap_or_else(|_| Broker::DEFAULT_URL.to_owned());
            self = self.url(&url);
        }
        let management_url = self.management_url.take().or_else(|| std::env::var("CELERIAC_MANAGEMENT_URL").ok());
        let settings = TransportSettings {
            urls: self.urls.iter().map(|url| BrokerUrl::parse(url)).collect::<Result<_, _>>()?,
            management_url: management_url.as_deref().map(BrokerUrl::parse).transpose()?,
            publish_timeout: self.publish_timeout.unwrap_or(Self::DEFAULT_PUBLISH_TIMEOUT),
        };
        let address = settings.urls.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let transport = transport(&settings)?;
        Ok(self.build_on(transport, &address))
    }

    /// The same over a transport of your own; `address` is what errors and logs show.
    pub fn build_on(self, transport: Arc<dyn Transport>, address: &str) -> Broker {
        Broker {
            inner: Arc::new(Inner {
                transport,
                address: address.to_owned(),
                queues: self.queues,
                max_message_bytes: self.max_message_bytes.unwrap_or(Broker::DEFAULT_MAX_MESSAGE_BYTES),
                origin: origin(),
                counts: Counts::default(),
            }),
        }
    }
}

fn transport(settings: &TransportSettings) -> Result<Arc<dyn Transport>, Error> {
    let scheme = settings.urls.first().map_or("", BrokerUrl::scheme);
    let fault = |fault: String| Err(Error::Config { setting: "broker_url".into(), fault });
    if settings.urls.iter().any(|url| url.scheme().trim_end_matches('s') != scheme.trim_end_matches('s')) {
        return fault("several addresses must name one kind of broker".into());
    }
    match scheme {
        "memory" => Ok(Arc::new(MemoryTransport::new())),
        #[cfg(feature = "sqlite")]
        "sqlite" => Ok(Arc::new(crate::sqlite::SqliteTransport::new(settings)?)),
        #[cfg(not(feature = "sqlite"))]
        "sqlite" => fault("this program was built without the feature `sqlite`".into()),
        #[cfg(feature = "amqp")]
        "amqp" | "amqps" => Ok(Arc::new(crate::amqp::AmqpTransport::new(settings)?)),
        #[cfg(not(feature = "amqp"))]
        "amqp" | "amqps" => fault("this program was built without the feature `amqp`".into()),
        other => fault(format!("the scheme {other:?} is unknown; use sqlite, amqp, amqps or memory")),
    }
}

fn origin() -> String {
    format!("gen{}@{}", std::process::id(), host())
}

/// This machine's name.
#[doc(hidden)]
pub fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
        host.as_deref().map_or("localhost", str::trim).to_owned()
    })
}
