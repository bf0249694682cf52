use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use celeriac_sqlite::DatabasePath;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    fault::Fault,
    job::{Job, Kind, Work},
    shared::{Queued, Shared},
    transaction::Transaction,
    writer::Writer,
};
use crate::{
    Error,
    store::{Hint, ProcessId},
};

/// How long an answer is waited for: longer than a disk takes that others keep busy.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the thread has to take leave of a process.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the thread is told.
pub(super) enum Command {
    /// A process of ours hears hints from now on.
    Open(ProcessId, mpsc::Sender<Hint>, Queued),
    /// It ends.
    Close(ProcessId, oneshot::Sender<()>, Queued),
    Do(Box<dyn Job>),
    /// There is something to do sooner than it knows.
    Look,
}

/// The way to the one thread that uses the file, which starts with the first command.
pub(super) struct Link {
    path: DatabasePath,
    pub(super) shared: Arc<Shared>,
    /// Unbounded: whoever sends a question awaits the answer, so there are never many more in it than callers.
    sender: Sender<Command>,
    /// Where the thread will read, until it has started.
    unstarted: Mutex<Option<Receiver<Command>>>,
    started: AtomicBool,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Link {
    pub(super) fn new(path: DatabasePath) -> Self {
        let (sender, receiver) = channel();
        let shared = Arc::new(Shared::new(path.clone()));
        Self { path, shared, sender, unstarted: Mutex::new(Some(receiver)), started: AtomicBool::new(false) }
    }

    /// Hands a command over.
    fn send(&self, command: Command) -> Result<(), Error> {
        if !self.started.load(Ordering::Acquire) {
            let mut unstarted = self.unstarted.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(receiver) = unstarted.take() {
                let writer = Writer::new(self.shared.clone(), receiver);
                let thread = std::thread::Builder::new().name("celeriac-locks".into());
                thread.spawn(move || writer.run()).map_err(|error| self.unavailable(error.to_string()))?;
                self.started.store(true, Ordering::Release);
            }
        }
        self.sender.send(command).map_err(|_| Error::Closed)
    }

    /// A process of ours hears hints from now on.
    pub(super) fn open(&self, process: ProcessId, hints: mpsc::Sender<Hint>) -> Result<(), Error> {
        self.send(Command::Open(process, hints, self.shared.queue()))
    }

    /// Asks on the caller's own thread, where neither the file nor the thread is in use and no disk is waited for. `None`: it is to be
    /// asked in the other way.
    pub(super) fn at_once<T>(&self, act: impl FnOnce(&mut Transaction<'_, '_, '_>) -> Result<T, Fault>) -> Option<T> {
        let done = self.shared.at_once(act)?;
        if done.wake {
            // A thread that has ended has nothing to look after.
            let _ = self.send(Command::Look);
        }
        Some(done.value)
    }

    /// Asks the thread, and waits for the answer.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        kind: Kind,
        act: impl FnOnce(&mut Transaction<'_, '_, '_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let (work, mut result) = Work::new(kind, act, self.shared.queue());
        self.send(Command::Do(Box::new(work)))?;
        let answer = if let Ok(answer) = timeout(PATIENCE, &mut result).await {
            answer.ok()
        } else {
            // First closed, then looked at: what was answered at the last moment is not lost.
            result.close();
            let locked = || Err(Fault::Unavailable(celeriac_sqlite::holder(&self.path)));
            Some(result.try_recv().unwrap_or_else(|_| locked()))
        };
        let answer = answer.unwrap_or_else(|| Err(Fault::Unavailable("its thread has ended".into())));
        answer.map_err(|fault| fault.into_error(&self.path))
    }

    /// Takes leave of a process.
    pub(super) async fn close(&self, process: ProcessId) {
        if !self.started.load(Ordering::Acquire) {
            return;
        }
        let (answer, done) = oneshot::channel();
        if self.send(Command::Close(process, answer, self.shared.queue())).is_ok() {
            // What is not done now is done by whoever finds that the process has ended.
            let _ = timeout(FAREWELL, done).await;
        }
    }

    fn unavailable(&self, message: String) -> Error {
        Fault::Unavailable(message).into_error(&self.path)
    }
}
