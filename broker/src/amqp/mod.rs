//! RabbitMQ, over AMQP 0-9-1.
//!
//! Two connections per process, made when first needed: one to publish on, which the broker may block, and one to consume on.

mod acker;
mod address;
mod connection;
mod consumer;
mod delay;
mod errors;
mod levels;
mod probe;
mod publisher;
mod returns;
mod session;
mod settle;
mod slot;
mod sweep;
mod table;
mod topology;

use std::{future::Future, sync::Arc};

use async_trait::async_trait;
use lapin::{
    Channel,
    options::{QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions},
    types::{FieldTable, ShortString},
};
use tokio_util::sync::CancellationToken;

use self::{
    address::Address,
    connection::{Connector, Link},
    consumer::AmqpConsumer,
    errors::{Fault, NOT_FOUND, said},
    publisher::Publisher,
};
use crate::{
    Consumer, Error, Message, Queue, QueueInfo, QueueName, Transport,
    broker::TransportSettings,
    transport::{Adoption, Capabilities, Destination, Finding, Subscription, Swept, Verdict},
};

/// Queues on RabbitMQ.
#[derive(Debug)]
pub struct AmqpTransport {
    publisher: Arc<Publisher>,
    /// The connection to consume on, and to ask questions: the broker never blocks it.
    connector: Arc<Connector>,
    closed: CancellationToken,
}

impl AmqpTransport {
    /// No I/O.
    pub(crate) fn new(settings: &TransportSettings) -> Result<Self, Error> {
        let addresses: Arc<[Address]> = settings.urls.iter().map(Address::new).collect::<Result<_, _>>()?;
        let shown = addresses.iter().map(|address| address.shown.as_str()).collect::<Vec<_>>().join(",");
        let closed = CancellationToken::new();
        let publishing = Connector::new(addresses.clone(), closed.clone());
        Ok(Self {
            publisher: Arc::new(Publisher::new(publishing, settings.publish_timeout, shown)),
            connector: Arc::new(Connector::new(addresses, closed.clone())),
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
        let answer = tokio::time::timeout(self.publisher.timeout(), asking).await;
        answer.unwrap_or_else(|_| Err(Fault::timed_out("the broker's answer"))).map_err(|fault| self.error(fault))
    }
}

#[async_trait]
impl Transport for AmqpTransport {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new("amqp", true, false)
    }

    async fn ping(&self) -> Result<(), Error> {
        self.ask(async |link| link.channel().await.map(drop)).await
    }

    async fn declare(&self, queue: &Queue) -> Result<Adoption, Error> {
        self.ask(async |link| Ok(link.declare_for_consumer(queue).await?.adoption)).await
    }

    async fn publish(&self, to: Destination, message: Message) -> Result<(), Error> {
        self.publisher.publish(&to, &message).await
    }

    async fn consume(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, Error> {
        let (connector, publisher) = (self.connector.clone(), self.publisher.clone());
        let opening = AmqpConsumer::open(connector, publisher, subscription, self.closed.clone());
        Ok(Box::new(self.bounded(opening).await?))
    }

    async fn queues(&self) -> Result<Option<Vec<QueueInfo>>, Error> {
        Ok(None)
    }

    async fn queue(&self, name: &QueueName) -> Result<Option<QueueInfo>, Error> {
        self.ask(async |link| look(&link.channel().await?, name).await).await
    }

    async fn purge(&self, name: &QueueName) -> Result<u64, Error> {
        let purged = async |link: Arc<Link>| {
            let purged = link.channel().await?.queue_purge(name.as_str().into(), QueuePurgeOptions::default()).await;
            match purged {
                Ok(count) => Ok(count.into()),
                Err(error) if said(&error, NOT_FOUND).is_some() => Ok(0),
                Err(error) => Err(error.into()),
            }
        };
        self.ask(purged).await
    }

    async fn delete(&self, name: &QueueName) -> Result<(), Error> {
        let deleted = async |link: Arc<Link>| {
            let channel = link.channel().await?;
            channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await?;
            link.declared.forget(name);
            if topology::has_companions(name) {
                let suspects = ShortString::from(topology::suspect_name(name));
                channel.queue_delete(suspects, QueueDeleteOptions::default()).await?;
                let dead = ShortString::from(format!("{name}.dead"));
                if_empty(&link, dead).await?;
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

    async fn diagnose(&self, _queues: &[Queue]) -> Result<Vec<Finding>, Error> {
        Ok(Vec::new())
    }

    async fn close(&self) {
        self.closed.cancel();
        self.publisher.close().await;
        self.connector.close().await;
    }
}

/// What a passive declaration tells; `None` where there is no such queue.
async fn look(channel: &Channel, name: &QueueName) -> Result<Option<QueueInfo>, Fault> {
    let passive = QueueDeclareOptions::durable().passive();
    match channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await {
        Ok(queue) => Ok(Some(QueueInfo {
            ready: Some(queue.message_count().into()),
            consumers: Some(queue.consumer_count().into()),
            ..QueueInfo::unknown(name.clone())
        })),
        Err(error) if said(&error, NOT_FOUND).is_some() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Deletes a queue if nothing is in it. Quorum queues do not take the broker's own `if-empty`.
async fn if_empty(link: &Link, name: ShortString) -> Result<(), Fault> {
    let channel = link.channel().await?;
    let passive = QueueDeclareOptions::durable().passive();
    match channel.queue_declare(name.clone(), passive, FieldTable::default()).await {
        Ok(queue) if queue.message_count() == 0 => {
            channel.queue_delete(name, QueueDeleteOptions::default()).await?;
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(error) if said(&error, NOT_FOUND).is_some() => Ok(()),
        Err(error) => Err(error.into()),
    }
}
