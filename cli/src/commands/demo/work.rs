//! The worker's side: hashes files, and reports what it read.

use std::sync::atomic::{AtomicU64, Ordering};

use celeriac_broker::TaskError;
use celeriac_worker::{Context, Handler};
use tokio::sync::Semaphore;

use super::{
    collect::Collector,
    hash, path,
    place::report_queue,
    tasks::{Digest, Digested},
};

/// What the demo's handlers share.
#[derive(Debug)]
pub(super) struct Demo {
    /// Where this process collects.
    pub(super) collector: Option<Collector>,
    /// Allows a file to be read: disks slow down when many are read at once, and confirmations do not.
    pub(super) reading: Semaphore,
    /// Digests begun and ended in this process.
    pub(super) activity: std::sync::Arc<Activity>,
}

/// What a process has begun and ended.
#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Activity {
    /// Whether something runs, and a number that changes with everything that does.
    pub(super) fn look(&self) -> (bool, u64) {
        let (ended, begun) = (self.ended.load(Ordering::SeqCst), self.begun.load(Ordering::SeqCst));
        (begun > ended, begun + ended)
    }

    /// Digests that ended.
    pub(super) fn ended(&self) -> u64 {
        self.ended.load(Ordering::SeqCst)
    }

    fn begin(&self) -> Running<'_> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        Running(self)
    }
}

/// A digest in progress; it has ended when this is dropped, whichever way.
struct Running<'a>(&'a Activity);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

impl Handler<Demo> for Digest {
    async fn run(self, ctx: Context<Demo>) -> Result<(), TaskError> {
        let _running = ctx.state().activity.begin();
        let hashed = {
            let _reading = ctx.state().reading.acquire().await?;
            hash::file(path::path(&self.path)).await?
        };
        let digested = Digested {
            path: self.path,
            bytes: hashed.bytes,
            digest: hashed.digest,
            inode: hashed.inode,
            attempts: ctx.attempt(),
        };
        ctx.message(digested).queue(report_queue(&self.run)).publish().await?;
        Ok(())
    }
}
