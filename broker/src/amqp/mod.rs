//! RabbitMQ, over AMQP 0-9-1.
//!
//! Two connections per process, made when first needed: one to publish on, which the broker may block, and one to consume on. A
//! third while there is a queue that does not confirm; see `isolation.rs`.

mod acker;
mod address;
mod arrival;
mod canary;
mod confirm;
mod connection;
mod consumer;
mod delay;
mod diagnose;
mod errors;
mod inspect;
mod isolation;
mod ladder;
mod levels;
mod majority;
mod management;
mod probe;
mod publisher;
mod returns;
mod session;
mod settle;
mod slot;
mod socket;
mod sweep;
mod table;
mod topology;

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use lapin::{
    options::{QueueDeleteOptions, QueuePurgeOptions},
    types::ShortString,
};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use self::{
    acker::Acks,
    address::Address,
    canary::Canary,
    connection::{Connector, Link},
    consumer::AmqpConsumer,
    errors::{Fault, NOT_FOUND, said},
    ladder::Ladder,
    levels::Levels,
    management::Management,
    publisher::Publisher,
};
use crate::{
    Consumer, Error, Message, Queue, QueueInfo, QueueName, Transport,
    broker::TransportSettings,
    transport::{Adoption, Capabilities, Destination, Finding, Subscription, Swept, Verdict},
};

/// The longest that the broker may take for anything but a publish, which has a time of its own.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// Queues on RabbitMQ.
#[derive(Debug)]
pub struct AmqpTransport {
    publisher: Arc<Publisher>,
    /// The connection to consume on, and to ask questions: the broker never blocks it.
    connector: Arc<Connector>,
    management: Option<Management>,
    acks: Arc<Acks>,
    canary: Mutex<Option<Canary>>,
    closed: CancellationToken,
}

/// RabbitMQ's own default.
const DEFAULT_CONSUMER_TIMEOUT: Duration = Duration::from_secs(30 * 60);

impl AmqpTransport {
    /// No I/O.
    pub(crate) fn new(settings: &TransportSettings) -> Result<Self, Error> {
        let addresses: Arc<[Address]> = settings.urls.iter().map(Address::new).collect::<Result<_, _>>()?;
        let shown = addresses.iter().map(|address| address.shown.as_str()).collect::<Vec<_>>().join(",");
        let closed = CancellationToken::new();
        let connector = || Connector::new(addresses.clone(), closed.clone());
        Ok(Self {
            publisher: Arc::new(Publisher::new(connector(), connector(), settings.publish_timeout, shown)),
            connector: Arc::new(connector()),
            management: settings.management_url.as_ref().map(Management::new).transpose()?,
            acks: Arc::default(),
            canary: Mutex::default(),
            closed,
        })
    }

    fn error(&self, fault: Fault) -> Error {
        fault.into_error(self.publisher.address())
    }

    /// Asks something of the broker, in a bounded time.
    async fn ask<T>(&self, question: impl AsyncFnOnce(Arc<Link>) -> Result<T, Fault>) -> Result<T, Error> {
        let asking = async { question(self.connector.link().await?).await };
        self.bounded(asking).await
    }

    async fn bounded<T>(&self, asking: impl Future<Output = Result<T, Fault>>) -> Result<T, Error> {
        let answer = tokio::time::timeout(ASK_TIMEOUT, asking).await;
        answer.unwrap_or_else(|_| Err(Fault::timed_out("the broker's answer"))).map_err(|fault| self.error(fault))
    }
}

#[async_trait]
impl Transport for AmqpTransport {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new("amqp", true, self.management.is_some())
    }

    async fn ping(&self) -> Result<(), Error> {
        self.ask(async |link| link.channel().await.map(drop)).await
    }

    async fn canary(&self) -> Result<(), Error> {
        let mut kept = self.canary.lock().await;
        // Put back only when it has come home: one that was waited for in vain begins anew.
        let canary = kept.take();
        let flown = async |link: Arc<Link>| {
            let mut canary = match canary.filter(Canary::is_alive) {
                Some(canary) => canary,
                None => Canary::new(&link).await?,
            };
            canary.fly().await?;
            Ok(canary)
        };
        *kept = Some(self.ask(flown).await?);
        Ok(())
    }

    fn reconnects(&self) -> u64 {
        self.connector.reconnects() + self.publisher.reconnects()
    }

    async fn declare(&self, queue: &Queue) -> Result<Adoption, Error> {
        let declared = async |link: Arc<Link>| {
            let adoption = link.declare(queue, Some(Ladder::Usual)).await?.adoption;
            link.declare_suspects(queue).await?;
            Ok(adoption)
        };
        Box::pin(self.ask(declared)).await
    }

    async fn publish(&self, to: Destination, message: Message) -> Result<(), Error> {
        self.publisher.publish(&to, &message).await
    }

    async fn consume(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, Error> {
        let (connector, publisher) = (self.connector.clone(), self.publisher.clone());
        let opening = AmqpConsumer::open(connector, publisher, self.acks.clone(), subscription, self.closed.clone());
        Ok(Box::new(Box::pin(self.bounded(opening)).await?))
    }

    async fn queues(&self) -> Result<Option<Vec<QueueInfo>>, Error> {
        let Some(management) = &self.management else { return Ok(None) };
        self.ask(async |link| management.queues(link.vhost()).await.map(Some)).await
    }

    async fn queue(&self, name: &QueueName) -> Result<Option<QueueInfo>, Error> {
        self.ask(async |link| inspect::queue(link, self.management.as_ref(), name).await).await
    }

    async fn purge(&self, name: &QueueName) -> Result<u64, Error> {
        let purged = async |link: Arc<Link>| {
            if inspect::look(&link, name.as_str()).await?.is_none() {
                return Ok(0);
            }
            let mut purged =
                link.channel().await?.queue_purge(name.as_str().into(), QueuePurgeOptions::default()).await?.into();
            for companion in inspect::companions(&link, name).await? {
                let companion = ShortString::from(companion);
                match link.channel().await?.queue_purge(companion, QueuePurgeOptions::default()).await {
                    Ok(count) => purged += u64::from(count),
                    Err(error) if said(&error, NOT_FOUND).is_some() => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(purged)
        };
        self.ask(purged).await
    }

    async fn delete(&self, name: &QueueName) -> Result<(), Error> {
        let deleted = async |link: Arc<Link>| {
            let channel = link.channel().await?;
            // What is not there is deleted without complaint.
            let delete = async |name: String| {
                channel.queue_delete(ShortString::from(name), QueueDeleteOptions::default()).await.map(drop)
            };
            delete(name.as_str().to_owned()).await?;
            link.declared.forget(name);
            if topology::has_companions(name) {
                delete(topology::suspect_name(name)).await?;
                for level in Levels::PerPriority.names(name) {
                    delete(level.into_owned()).await?;
                }
                let dead = format!("{name}.dead");
                // Quorum queues do not take the broker's own `if-empty`.
                if inspect::look(&link, &dead).await?.is_some_and(|counts| counts.ready == 0) {
                    delete(dead).await?;
                }
            }
            Ok(())
        };
        self.ask(deleted).await?;
        self.publisher.forget(name);
        Ok(())
    }

    async fn sweep(
        &self,
        name: &QueueName,
        limit: usize,
        visit: &mut (dyn for<'m> FnMut(&'m Message) -> Verdict + Send),
    ) -> Result<Swept, Error> {
        sweep::sweep(self, name, limit, visit).await
    }

    async fn diagnose(&self, queues: &[Queue]) -> Result<Vec<Finding>, Error> {
        let examined =
            async { diagnose::diagnose(self.connector.link().await?, self.management.as_ref(), queues).await };
        examined.await.map_err(|fault| self.error(fault))
    }

    async fn delayed(&self, _name: &QueueName) -> Result<Option<u64>, Error> {
        self.ask(async |link| delay::waiting(&link).await.map(Some)).await
    }

    async fn consumer_timeout(&self, queue: &QueueName) -> Option<Duration> {
        let Some(management) = &self.management else { return Some(DEFAULT_CONSUMER_TIMEOUT) };
        let known = self.ask(async |link| Ok(diagnose::known_consumer_timeout(&link, management, queue).await)).await;
        known.ok().flatten().or(Some(DEFAULT_CONSUMER_TIMEOUT))
    }

    async fn flush(&self) {
        let _ = tokio::time::timeout(ASK_TIMEOUT, self.acks.settle_down()).await;
    }

    async fn close(&self) {
        self.closed.cancel();
        self.publisher.close().await;
        // Somebody may go on settling; that must not keep this from ending.
        self.flush().await;
        self.connector.close().await;
    }
}
