//! The collector: merges reports by path into the state file, and acknowledges none before it is on disk.

use std::{
    fs::File,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use celeriac_broker::{Task, TaskError};
use celeriac_worker::{Context, Handler};
use tokio::sync::{mpsc, oneshot, watch};

use super::{
    journal::{Entry, Journal},
    merge::{Merged, Progress},
    place::Place,
    tasks::{Digested, Failed, Walked},
    work::Demo,
};
use crate::Error;

/// The state file.
pub(super) const JOURNAL: &str = "report.jsonl";

/// Reports written with one sync of the disk.
const BATCH: usize = 1024;

/// Merges reports; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    merged: Arc<Mutex<Merged>>,
    progress: watch::Receiver<Progress>,
    reports: mpsc::Sender<Report>,
}

/// A report, and who waits until it is on disk.
#[derive(Debug)]
struct Report {
    entry: Entry,
    written: oneshot::Sender<Result<(), String>>,
}

/// The state file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("the report can't be kept: {0}")]
struct NotKept(String);

impl Collector {
    /// Opens the state file of `place`, whose `lock` it keeps.
    pub(super) fn open(place: &Place, lock: File) -> Result<Self, Error> {
        let path = place.file(JOURNAL);
        let mut merged = Merged::default();
        let journal = Journal::open(&path, |entry| merged.merge(entry))
            .map_err(Error::io(format!("can't read {}", path.display())))?;
        let (changed, progress) = watch::channel(merged.progress());
        let (reports, incoming) = mpsc::channel(BATCH);
        let merged = Arc::new(Mutex::new(merged));
        let writer = Writer { journal, merged: merged.clone(), changed, _lock: lock };
        // It ends when the last collector is dropped.
        drop(tokio::task::spawn_blocking(move || writer.run(incoming)));
        Ok(Self { merged, progress, reports })
    }

    /// Takes a report in. `Ok`: it is on disk.
    pub(super) async fn take(&self, entry: Entry) -> Result<(), TaskError> {
        let (written, on_disk) = oneshot::channel();
        let ended = |()| NotKept("the collector has ended".into());
        self.reports.send(Report { entry, written }).await.map_err(|_| ended(()))?;
        Ok(on_disk.await.map_err(|_| ended(()))?.map_err(NotKept)?)
    }

    /// How far the run has come; changes are told.
    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }

    pub(super) fn merged(&self) -> MutexGuard<'_, Merged> {
        self.merged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Owns the state file, on a thread that may block.
struct Writer {
    journal: Journal,
    merged: Arc<Mutex<Merged>>,
    changed: watch::Sender<Progress>,
    _lock: File,
}

impl Writer {
    fn run(mut self, mut incoming: mpsc::Receiver<Report>) {
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(first) = incoming.blocking_recv() {
            batch.push(first);
            while batch.len() < BATCH
                && let Ok(next) = incoming.try_recv()
            {
                batch.push(next);
            }
            let written = self.write(&batch).map_err(|fault| fault.to_string());
            for Report { written: waiter, .. } in batch.drain(..) {
                // A handler that was given back meanwhile does not wait; its report comes again and changes nothing.
                let _ = waiter.send(written.clone());
            }
        }
    }

    fn write(&mut self, batch: &[Report]) -> io::Result<()> {
        self.journal.append(batch.iter().map(|report| &report.entry))?;
        let mut merged = self.merged.lock().unwrap_or_else(PoisonError::into_inner);
        for report in batch {
            merged.merge(report.entry.clone());
        }
        self.changed.send_replace(merged.progress());
        Ok(())
    }
}

async fn collect(ctx: &Context<Demo>, entry: Entry) -> Result<(), TaskError> {
    match &ctx.state().collector {
        Some(collector) => collector.take(entry).await,
        None => Err(TaskError::new("this process does not collect")),
    }
}

macro_rules! collected {
    ($($task:ident),*) => {$(
        impl Handler<Demo> for $task {
            async fn run(self, ctx: Context<Demo>) -> Result<<Self as Task>::Output, TaskError> {
                collect(&ctx, Entry::$task(self)).await
            }
        }
    )*};
}

collected!(Digested, Failed, Walked);
