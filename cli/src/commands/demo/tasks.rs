//! What producers, workers and the collector of the demo agree on.

use std::time::Duration;

use async_trait::async_trait;
use celeriac_broker::{
    Arg, Error, Jitter, RetryPolicy, Task, TaskOptions,
    message::Bytes,
    task::{Event, Hooks},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::place::report_queue;

/// The queue of the files that are to be hashed; runs of several folders share it.
pub(super) const DIGEST_QUEUE: &str = "digest";

/// A file that can't be read is tried again soon: nobody waits for it in a demonstration.
const RETRY: RetryPolicy =
    RetryPolicy::checked(3, Duration::from_millis(100), Duration::from_millis(400), Jitter::Full);

/// Results are worth waiting for: a full disk is emptied one day.
const KEEP_TRYING: RetryPolicy =
    RetryPolicy::checked(100, Duration::from_secs(1), Duration::from_secs(60), Jitter::Full);

/// Hashes one file, and reports to the run that asked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Digest {
    /// The run that wants to know.
    pub(super) run: String,
    /// The file. Bytes: names need not be UTF-8.
    pub(super) path: Bytes,
}

impl Task for Digest {
    const NAME: &'static str = "files.digest";
    const ARGS: &'static [Arg] = &[Arg::required("run"), Arg::required("path")];
    type Output = ();

    fn options() -> TaskOptions {
        TaskOptions::new().queue(DIGEST_QUEUE).retry(RETRY).hooks(&ReportFailure)
    }
}

/// Reports a file that could not be read, when no attempt is left.
struct ReportFailure;

#[async_trait]
impl Hooks for ReportFailure {
    async fn on_exhausted(&self, event: Event<'_>) {
        let Ok(task) = serde_json::from_value::<Digest>(Value::Object(event.arguments.clone())) else { return };
        let failed = Failed { path: task.path, error: event.error.to_owned(), attempts: event.attempt };
        if let Err(error) = report(event.broker, &task.run, failed).await {
            // The collector finds it among the dead letters.
            tracing::warn!(%error, "a failure could not be reported");
        }
    }
}

async fn report(broker: &celeriac_broker::Broker, run: &str, failed: Failed) -> Result<(), Error> {
    broker.message(failed).queue(report_queue(run)).publish().await.map(drop)
}

/// A file was hashed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Digested {
    pub(super) path: Bytes,
    /// How many bytes were read.
    pub(super) bytes: u64,
    /// BLAKE3 of them, in hex.
    pub(super) digest: String,
    /// Device and inode, where the system has them: hard links are one file.
    pub(super) inode: Option<(u64, u64)>,
    /// The attempt that succeeded.
    pub(super) attempts: u32,
}

/// A file, or a folder, could not be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Failed {
    pub(super) path: Bytes,
    pub(super) error: String,
    /// Attempts made; 0 for a folder, which never became a task.
    pub(super) attempts: u32,
}

/// Every file was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Walked {
    /// How many reports there will be, one for each path.
    pub(super) paths: u64,
    /// When the walk began, in milliseconds since 1970.
    pub(super) started: u64,
}

macro_rules! reported {
    ($task:ident, $name:literal, [$($arg:literal),*]) => {
        impl Task for $task {
            const NAME: &'static str = $name;
            const ARGS: &'static [Arg] = &[$(Arg::required($arg)),*];
            type Output = ();

            fn options() -> TaskOptions {
                TaskOptions::new().retry(KEEP_TRYING)
            }
        }
    };
}

reported!(Digested, "files.digested", ["path", "bytes", "digest", "inode", "attempts"]);
reported!(Failed, "files.failed", ["path", "error", "attempts"]);
reported!(Walked, "files.walked", ["paths", "started"]);
