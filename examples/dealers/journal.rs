//! What runs write down, for the report: one line when a run begins, one when its work is done.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use celeriac::{Middleware, TaskError, async_trait, prelude::*};
use serde::{Deserialize, Serialize};

use crate::tasks::Company;

#[derive(Debug)]
pub(crate) struct Journal(File);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Event {
    /// A run has begun.
    Begun,
    /// Its work is done; what is left is the acknowledgement.
    Done,
    /// There was nothing to do.
    Skipped,
    /// Its work was done, and had been done by another before.
    InVain,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) event: Event,
    pub(crate) task: String,
    pub(crate) id: String,
    /// How often the task was given back until this run, because a lock was busy or its broker gone.
    pub(crate) deferrals: u32,
    /// Milliseconds since 1970.
    pub(crate) at: u64,
    pub(crate) pid: u32,
}

impl Journal {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        OpenOptions::new().create(true).append(true).open(path).map(Self)
    }

    pub(crate) fn write(&self, event: Event, ctx: &Context<Company>) -> io::Result<()> {
        let request = ctx.request();
        let (task, id, deferrals) = (request.task.clone(), request.id.as_str().to_owned(), request.deferrals);
        let entry = Entry { event, task, id, deferrals, at: now(), pid: std::process::id() };
        // One write to the end of the file: lines of several processes do not mix.
        (&self.0).write_all(format!("{}\n", serde_json::to_string(&entry)?).as_bytes())
    }

    /// What was written so far. A line that is just being written, or was when its writer was killed, is left out.
    pub(crate) fn read(path: &Path) -> io::Result<Vec<Entry>> {
        let lines = BufReader::new(File::open(path)?).lines();
        lines.filter_map(|line| line.map(|line| serde_json::from_str(&line).ok()).transpose()).collect()
    }
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Writes down that a run begins.
pub(crate) struct Witness;

#[async_trait]
impl Middleware<Company> for Witness {
    async fn before(&self, ctx: &Context<Company>) -> Result<(), TaskError> {
        Ok(ctx.state().journal.write(Event::Begun, ctx)?)
    }
}
