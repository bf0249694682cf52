use std::{
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};

use super::{renewer::Renewer, table::Table};
use crate::{
    Error, LockKey,
    stats::Counts,
    store::{LeaseId, LeaseStore, ProcessId},
};

/// What the thread is asked to do.
#[derive(Debug)]
pub(super) enum Chore {
    /// Look at the table again.
    Look,
    /// Release this, however long it takes.
    Release(LockKey, LeaseId),
    /// Release everything, and end.
    Close(Option<oneshot::Sender<()>>),
}

/// The thread that renews leases: code that computes for long on a runtime's threads must not keep it from doing so.
#[derive(Debug)]
pub(super) struct Thread {
    /// Unbounded, because a drop must hand on what it drops without waiting.
    chores: mpsc::UnboundedSender<Chore>,
    started: OnceLock<()>,
    renewer: Mutex<Option<Renewer>>,
}

impl Thread {
    pub(super) fn new(
        store: Arc<dyn LeaseStore>,
        process: ProcessId,
        table: Arc<Table>,
        counts: Arc<Counts>,
        patience: Duration,
    ) -> Self {
        let (chores, inbox) = mpsc::unbounded_channel();
        let renewer = Renewer::new(store, process, table, counts, patience, inbox);
        Self { chores, started: OnceLock::new(), renewer: Mutex::new(Some(renewer)) }
    }

    /// Starts the thread, once.
    pub(super) fn start(&self) -> Result<(), Error> {
        if self.started.get().is_some() {
            return if self.chores.is_closed() { Err(Error::Closed) } else { Ok(()) };
        }
        let cannot = |error: io::Error| Error::Refused {
            address: "this process".to_owned(),
            message: format!("no thread could be started for leases: {error}"),
        };
        let mut renewer = self.renewer.lock().unwrap_or_else(PoisonError::into_inner);
        // Another caller has just started it.
        let Some(renewer) = renewer.take() else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let hints = renewer.open(runtime.handle());
        std::thread::Builder::new()
            .name("celeriac-leases".to_owned())
            .spawn(move || runtime.block_on(renewer.run(hints)))
            .map_err(cannot)?;
        self.started.get_or_init(|| ());
        Ok(())
    }

    pub(super) fn wake(&self) {
        self.send(Chore::Look);
    }

    pub(super) fn release(&self, key: LockKey, lease: LeaseId) {
        self.send(Chore::Release(key, lease));
    }

    pub(super) async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.started.get().is_some() && self.chores.send(Chore::Close(Some(done))).is_ok() {
            // An error is a thread that has ended.
            let _ = closed.await;
        }
    }

    /// A thread that has ended has nothing left to do.
    fn send(&self, chore: Chore) {
        let _ = self.chores.send(chore);
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.send(Chore::Close(None));
    }
}
