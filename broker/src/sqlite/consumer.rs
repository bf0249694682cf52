use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{
    command::{Attach, Claim, Claimed, Command, Entry, Write},
    link::Link,
    reading,
};
use crate::{
    Consumer, Delivery, Error, Message, Queue, TaskId,
    transport::{Destination, Settle, Subscription},
};

/// Receives what the writing thread claims for it.
#[derive(Debug)]
pub(super) struct SqliteConsumer {
    link: Arc<Link>,
    number: u64,
    queue: Queue,
    claimed: UnboundedReceiver<Vec<Claimed>>,
    /// Claimed and not yet handed out.
    buffer: VecDeque<Claimed>,
    stopped: bool,
}

impl SqliteConsumer {
    pub(super) async fn begin(link: Arc<Link>, subscription: Subscription) -> Result<Self, Error> {
        let (sender, claimed) = unbounded_channel();
        let number = link.number();
        let queue = subscription.queue;
        let attach = Attach {
            consumer: number,
            queue: queue.name.clone(),
            prefetch: usize::from(subscription.prefetch.max(1)),
            isolate_after: subscription.isolate_after,
            claimed: sender,
        };
        // Made first: a call that is dropped while it waits leaves a consumer that says farewell.
        let consumer = Self { link, number, queue, claimed, buffer: VecDeque::new(), stopped: false };
        consumer.link.ask(|answer| Command::Attach(attach, answer)).await?;
        Ok(consumer)
    }

    /// What was claimed and will not be handed out.
    fn unread(&mut self) -> Vec<Claimed> {
        self.claimed.close();
        let mut unread: Vec<Claimed> = std::mem::take(&mut self.buffer).into();
        while let Ok(rows) = self.claimed.try_recv() {
            unread.extend(rows);
        }
        unread
    }

    fn deliver(&self, row: Claimed) -> Delivery {
        let message = reading::message(&row.head, row.body);
        let settle = SqliteSettle { link: self.link.clone(), claim: row.claim, id: message.id(), state: State::Held };
        Delivery::new(message, self.queue.clone(), row.deliveries, Box::new(settle))
    }
}

#[async_trait]
impl Consumer for SqliteConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        while self.buffer.is_empty() {
            self.buffer.extend(self.claimed.recv().await?);
        }
        let row = self.buffer.pop_front()?;
        Some(self.deliver(row))
    }

    async fn stop(&mut self) {
        if !std::mem::replace(&mut self.stopped, true) {
            let (consumer, unread) = (self.number, self.unread());
            // What can't be given back now comes back when the claims run out.
            let _ = self.link.ask(|answer| Command::Detach { consumer, unread, answer: Some(answer) }).await;
        }
    }

    fn is_connected(&self) -> bool {
        !self.stopped && self.link.is_healthy()
    }
}

impl Drop for SqliteConsumer {
    fn drop(&mut self) {
        if !self.stopped {
            let (consumer, unread) = (self.number, self.unread());
            // An ended thread has given everything back.
            let _ = self.link.send(Command::Detach { consumer, unread, answer: None });
        }
    }
}

struct SqliteSettle {
    link: Arc<Link>,
    claim: Claim,
    id: TaskId,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Whoever drops it did not survive it.
    Held,
    /// The store failed to settle it; nobody has died.
    Failed,
    Settled,
}

impl SqliteSettle {
    async fn settle(&mut self, copy: Option<Box<Entry>>) -> Result<(), Error> {
        let result = self.link.settle(Write::Settle(self.claim, copy)).await;
        self.state = if matches!(result, Ok(_) | Err(Error::Closed)) { State::Settled } else { State::Failed };
        match result {
            Ok(done) if done.gone == 1 => Ok(()),
            // A closed broker has given everything back.
            Ok(_) | Err(Error::Closed) => Err(Error::DeliveryLost { id: self.id.clone() }),
            Err(error) => Err(error),
        }
    }
}

/// A delivery dropped unsettled comes back at once.
impl Drop for SqliteSettle {
    fn drop(&mut self) {
        if self.state != State::Settled {
            // An ended thread has given everything back.
            let _ = self.link.send(Command::Drop { claim: self.claim, counted: self.state == State::Held });
        }
    }
}

#[async_trait]
impl Settle for SqliteSettle {
    async fn ack(mut self: Box<Self>) -> Result<(), Error> {
        self.settle(None).await
    }

    async fn replace(&mut self, to: &Destination, copy: &Message) -> Result<(), Error> {
        let copy = Box::new(Entry::new(to, copy.clone()));
        self.settle(Some(copy)).await
    }
}
