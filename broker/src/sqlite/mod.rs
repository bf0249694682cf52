//! Queues in one file: several processes of one machine share it, and it needs no server.
//!
//! `sqlite://relative.db` or `sqlite:///absolute/path.db`, with these options:
//!
//! | option | default | |
//! |---|---|---|
//! | `synchronous` | `full` | `full`: what is published is on disk. `normal`: a power cut may take what was published, settled or claimed in the last moments, so that a task is lost or runs again; the file stays whole, and the end of a process costs nothing |
//! | `claim_lease` | `30s` | how long a killed process's tasks take to come back; 100ms to 24h |
//! | `max_size` | none | the largest that publishing may make the file, such as `512MiB`; beyond it publishing fails until tasks have run |
//!
//! Every process has one thread that writes. It takes what its channel holds and commits it together, so that many
//! publishes share one fsync, and acks share it with the claims that follow. Processes take turns at two lock files
//! beside the database (`-turn`, `-lock`), as SQLite's own waiting can starve one of them. Other programs may read the
//! file at any time, and write it briefly.
//!
//! A message is ready, delayed or claimed. Its deliveries are counted when it is claimed. A process renews its lease; one
//! that no longer does is dead, and what it had claimed is ready again. It finds out when it settles.

mod codec;
mod command;
mod consumer;
mod diagnosis;
mod entry;
mod fault;
mod holding;
mod link;
mod location;
mod reading;
mod schema;
mod statements;
mod store;
mod transaction;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;

use self::{
    command::{Entry, Sentence, Write},
    consumer::SqliteConsumer,
    link::Link,
    location::Location,
    reading::Read,
};
use crate::{
    Consumer, Error, Message, Queue, QueueInfo, QueueName, Transport,
    broker::TransportSettings,
    transport::{Adoption, Capabilities, Destination, Finding, Subscription, Swept, Verdict},
};

/// Queues in one file.
#[derive(Debug)]
pub struct SqliteTransport {
    link: Arc<Link>,
}

/// How many messages a sweep looks at before it does what it was told.
const PAGE: usize = 256;

impl SqliteTransport {
    /// Reads the settings. No I/O: the file is opened when it is first used.
    pub(crate) fn new(settings: &TransportSettings) -> Result<Self, Error> {
        let [url] = settings.urls.as_slice() else {
            let fault = "queues are in one file; write a comma in its name as %2C".into();
            return Err(Error::Config { setting: "broker_url".into(), fault });
        };
        Ok(Self { link: Arc::new(Link::new(Location::parse(url)?, settings.publish_timeout)) })
    }

    async fn promote(&self) -> Result<(), Error> {
        while self.link.write(Write::Promote).await?.gone > 0 {}
        Ok(())
    }
}

#[async_trait]
impl Transport for SqliteTransport {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new("sqlite", false, true)
    }

    async fn ping(&self) -> Result<(), Error> {
        self.link.write(Write::Ping).await.map(drop)
    }

    async fn declare(&self, queue: &Queue) -> Result<Adoption, Error> {
        self.link.write(Write::Declare(vec![queue.name.clone(), queue.name.dead()?])).await?;
        Ok(Adoption::AsDeclared)
    }

    async fn publish(&self, to: Destination, message: Message) -> Result<(), Error> {
        let id = message.id();
        let entry = Entry::new(&to, message);
        self.link.publish(entry, id, to.queue.name).await
    }

    async fn consume(&self, subscription: Subscription) -> Result<Box<dyn Consumer>, Error> {
        self.declare(&subscription.queue).await?;
        Ok(Box::new(SqliteConsumer::begin(self.link.clone(), subscription).await?))
    }

    async fn queues(&self) -> Result<Option<Vec<QueueInfo>>, Error> {
        self.link.read(Read::Queues).await.map(Some)
    }

    async fn queue(&self, name: &QueueName) -> Result<Option<QueueInfo>, Error> {
        self.link.read(|answer| Read::Queue(name.clone(), answer)).await
    }

    async fn purge(&self, name: &QueueName) -> Result<u64, Error> {
        self.promote().await?;
        let mut purged = 0;
        loop {
            match self.link.write(Write::Purge(name.clone())).await?.gone {
                0 => return Ok(purged),
                gone => purged += gone,
            }
        }
    }

    async fn delete(&self, name: &QueueName) -> Result<(), Error> {
        self.link.write(Write::Delete(name.clone())).await.map(drop)
    }

    async fn sweep(
        &self,
        name: &QueueName,
        limit: usize,
        visit: &mut (dyn for<'m> FnMut(&'m Message) -> Verdict + Send),
    ) -> Result<Swept, Error> {
        self.promote().await?;
        let begun = entry::now();
        let (mut swept, mut after, mut left) = (Swept::default(), None, limit);
        loop {
            let page = left.min(PAGE);
            let seen = self.link.read(|answer| Read::Page(name.clone(), after, page, answer)).await?;
            let is_last = seen.len() < page || seen.len() == left;
            let (mut sentences, mut stopped) = (Vec::new(), false);
            for found in &seen {
                after = Some(found.place);
                let (_, ready_at, id) = found.place;
                if ready_at > begun {
                    // A copy that was put into the same queue is not swept again.
                    continue;
                }
                let verdict = visit(&found.message);
                stopped = verdict == Verdict::Stop;
                if stopped {
                    break;
                }
                swept.seen += 1;
                sentences.extend(Sentence::of(verdict).map(|sentence| (id, sentence)));
            }
            if !sentences.is_empty() {
                let done = self.link.write(Write::Apply(name.clone(), sentences)).await?;
                swept.deleted += done.gone;
                swept.moved += done.moved;
            }
            left -= seen.len();
            if stopped || is_last {
                return Ok(swept);
            }
        }
    }

    async fn diagnose(&self, queues: &[Queue]) -> Result<Vec<Finding>, Error> {
        diagnosis::diagnose(&self.link, queues).await
    }

    async fn close(&self) {
        self.link.close().await;
    }
}
