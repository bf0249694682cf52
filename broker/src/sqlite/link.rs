use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use super::{
    command::{Command, Done, Entry, Write},
    fault::Fault,
    location::Location,
    reading::Read,
    writer::{Signals, Writer},
};
use crate::{Error, QueueName, TaskId};

/// The way to the writing thread, which starts with the first command.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) location: Location,
    timeout: Duration,
    /// Unbounded, as a drop must hand over its delivery without waiting. Who sends anything else awaits the answer, so
    /// there are never more commands in it than callers.
    sender: Sender<Command>,
    /// Where the thread will read, until it has started.
    unstarted: Mutex<Option<Receiver<Command>>>,
    started: AtomicBool,
    closed: AtomicBool,
    signals: Arc<Signals>,
    numbers: AtomicU64,
}

impl Link {
    pub(super) fn new(location: Location, timeout: Duration) -> Self {
        let (sender, receiver) = channel();
        Self {
            location,
            timeout,
            sender,
            unstarted: Mutex::new(Some(receiver)),
            started: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            signals: Arc::default(),
            numbers: AtomicU64::new(1),
        }
    }

    /// A number that nobody else of this link has.
    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.signals.healthy.load(Ordering::Relaxed) && !self.is_closed()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Hands a command over; `Closed` where the thread has ended.
    pub(super) fn send(&self, command: Command) -> Result<(), Error> {
        if !self.started.load(Ordering::Acquire) {
            self.start()?;
        }
        self.sender.send(command).map_err(|_| Error::Closed)
    }

    fn start(&self) -> Result<(), Error> {
        let mut unstarted = self.unstarted.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_closed() {
            return Err(Error::Closed);
        }
        if let Some(receiver) = unstarted.take() {
            let writer = Writer::new(self.location.clone(), self.signals.clone(), receiver);
            let thread = std::thread::Builder::new().name("celeriac-sqlite".into());
            thread.spawn(move || writer.run()).map_err(|fault| self.error(Fault::Failed(fault.to_string())))?;
            self.started.store(true, Ordering::Release);
        }
        Ok(())
    }

    pub(super) fn error(&self, fault: Fault) -> Error {
        fault.into_error(&self.location.path)
    }

    /// Makes a change, within the publish timeout.
    pub(super) async fn write(&self, write: Write) -> Result<Done, Error> {
        self.attempt(write).await?.map_err(|fault| self.error(fault))
    }

    /// The same for a message, of which it says whether it may be there.
    pub(super) async fn publish(&self, entry: Entry, id: TaskId, queue: QueueName) -> Result<(), Error> {
        match self.attempt(Write::Publish(entry)).await? {
            Ok(_) => Ok(()),
            Err(Fault::Uncertain(source)) => Err(Error::Unconfirmed { id, queue, source: source.into() }),
            Err(fault) => Err(self.error(fault)),
        }
    }

    async fn attempt(&self, write: Write) -> Result<Result<Done, Fault>, Error> {
        self.check_open()?;
        let (ticket, (answer, mut result)) = (self.number(), oneshot::channel());
        self.send(Command::Write { write, ticket, answer })?;
        if let Ok(answer) = timeout(self.timeout, &mut result).await {
            return answer.map_err(|_| Error::Closed);
        }
        // First closed, then asked: the thread marks the ticket first, and looks whether it is closed then.
        result.close();
        Ok(match result.try_recv() {
            Ok(answer) => answer,
            Err(_) if self.signals.begun.load(Ordering::SeqCst) < ticket => Err(self.locked()),
            Err(_) => Err(Fault::Uncertain("it has begun, and did not end in time".into())),
        })
    }

    /// Settles, however long it takes: as long as the claim holds, nobody else runs it.
    pub(super) async fn settle(&self, write: Write) -> Result<Done, Error> {
        let (ticket, (answer, result)) = (self.number(), oneshot::channel());
        self.send(Command::Write { write, ticket, answer })?;
        self.unpack(result.await)
    }

    pub(super) async fn read<T>(
        &self,
        read: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> Read,
    ) -> Result<T, Error> {
        self.check_open()?;
        let (answer, result) = oneshot::channel();
        self.send(Command::Read(read(answer)))?;
        timeout(self.timeout, result)
            .await
            .map_err(|_| self.error(self.locked()))?
            .map_err(|_| Error::Closed)?
            .map_err(|fault| self.error(fault))
    }

    /// Sends a command that is answered when it is done, within the publish timeout.
    pub(super) async fn ask(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<Done, Fault>>) -> Command,
    ) -> Result<Done, Error> {
        let (answer, result) = oneshot::channel();
        self.send(command(answer))?;
        self.unpack(timeout(self.timeout, result).await.map_err(|_| self.error(self.locked()))?)
    }

    fn unpack(&self, answer: Result<Result<Done, Fault>, oneshot::error::RecvError>) -> Result<Done, Error> {
        answer.map_err(|_| Error::Closed)?.map_err(|fault| self.error(fault))
    }

    fn locked(&self) -> Fault {
        Fault::Locked(celeriac_sqlite::holder(&self.location.path))
    }

    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.is_closed() { Err(Error::Closed) } else { Ok(()) }
    }

    /// Lets the thread finish what it was given, and end.
    pub(super) async fn close(&self) {
        {
            let _unstarted = self.unstarted.lock().unwrap_or_else(PoisonError::into_inner);
            self.closed.store(true, Ordering::Relaxed);
        }
        let (answer, ended) = oneshot::channel();
        if self.started.load(Ordering::Acquire) && self.sender.send(Command::Close(answer)).is_ok() {
            // A thread that waits for a stuck process ends with this one.
            let _ = timeout(self.timeout, ended).await;
        }
    }
}
