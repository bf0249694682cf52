//! Leases in a SQLite file, for the processes of one machine.
//!
//! [`SqliteStore`] asks. Where the file is free, `shared` answers at once, in a transaction on the asker's thread; otherwise `link` carries
//! the question to `writer`, the one thread that waits for the file, and `commit` puts questions that come together into one transaction.
//! `transaction` lets the rules answer them, over the rows of `lock` and `line`. `keeper` knows what is to be done without being asked,
//! `presence` tells the living from the dead, and `household` whom of ours to tell what.

mod book;
mod clock;
mod commit;
mod diagnosis;
mod fault;
mod file;
mod holders;
mod household;
mod job;
mod keeper;
mod line;
mod link;
mod location;
mod lock;
mod presence;
mod schema;
mod shared;
mod state;
mod statements;
mod transaction;
mod world;
mod writer;

use std::path::PathBuf;

use async_trait::async_trait;
use celeriac_sqlite::DatabasePath;
use tokio::{runtime::Handle, sync::mpsc};

use self::{job::Kind, link::Link, transaction::Unanswered};
use crate::{
    Error, LockKey,
    store::{
        Answer, Ask, Capabilities, Finding, Hint, LeaseId, LeaseStore, LockState, LockSummary, ProcessId, Release,
        Renewal, Renewed, Spend, Spent,
    },
};

/// How many leases are renewed in one step, so that others have their turn in between.
const RENEWED_TOGETHER: usize = 256;

/// Leases in a SQLite file, which the processes of one machine share.
///
/// A thread keeps the file; it starts with the first question, and ends with the store. An answer that takes longer than a second, as another
/// process has the file locked, is [`Error::Unavailable`], which names that process.
///
/// # Blocking
///
/// To acquire, to release and to spend is done on the caller's own thread where that can be done at once: nobody else of this process uses
/// the file, nothing asked before waits, no other process has its turn or waits for it, and no other program writes. Whether somebody
/// waits is looked at once in a millisecond: for that long a process may be passed by. It is then one
/// transaction, some ten microseconds, that writes a page or two into the system's cache and forces nothing to disk. In every other case, and
/// for all that waits for a disk (opening the file, folding its log into it, keeping what an operator has set), it is the thread that waits,
/// and the caller's future is woken.
///
/// # How leases end
///
/// A lease ends with its process, not by time: each process keeps a file locked, `<file>-locks/<process>.lock`, and the system frees it
/// whichever way the process ends. While somebody waits for a lease, the dead are looked for every 50 ms; whoever asks for a lease looks
/// as well. A process that is stopped, as by SIGSTOP, keeps what it holds.
///
/// # What is on disk
///
/// The file may be the broker's: the tables are `celeriac_lock*` and `celeriac_rate`, and writers queue at the same two files beside it.
/// Commits are not forced to disk (`synchronous = NORMAL`; `OFF` would save nothing more, and could spoil the broker's part): a power cut may take the last ones, and it takes every holder with them, so
/// nobody is left to hold what is forgotten. A place in line that is forgotten is taken anew, at the end. A rate limit may let through
/// again what it forgot. Tokens rise all the same, as a token is at least the microseconds since 1970; unless the machine comes back with
/// a clock from before the cut. How many leases an operator has set is forced to disk.
///
/// # Time
///
/// It is what the machine has counted since its start, and a distance to 1970 that is written into the file: setting the time of day
/// changes nothing before the next start.
///
/// # Network file systems
///
/// They are refused, as locks don't hold there.
#[derive(Debug)]
pub struct SqliteStore {
    link: Link,
}

impl SqliteStore {
    /// The file at `path`, which is made by the first question. Does no I/O.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { link: Link::new(DatabasePath::from(path.into())) }
    }

    /// The file that a URL names: `sqlite://relative.db` or `sqlite:///absolute/path.db`. Does no I/O.
    ///
    /// The broker's options may be there, as both may use one file; they mean nothing here.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where it names no file.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        Ok(Self { link: Link::new(location::parse(url)?) })
    }
}

#[async_trait]
impl LeaseStore for SqliteStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::local()
    }

    fn open(&self, process: &ProcessId, _runtime: &Handle, hints: mpsc::Sender<Hint>) {
        // Where there is no thread to be had, the first question says so.
        let _ = self.link.open(process.clone(), hints);
    }

    async fn acquire(&self, ask: &Ask) -> Result<Answer, Error> {
        let answer = if let Some(answer) = self.link.at_once(|transaction| transaction.acquire(ask)) {
            answer
        } else {
            let ask = ask.clone();
            self.link.ask(Kind::Question, move |transaction| transaction.acquire(&ask)).await?
        };
        answer.map_err(|unanswered| match unanswered {
            Unanswered::Closed => Error::Closed,
            Unanswered::TooHeavy { stored } => {
                Error::Invalid(format!("{} of the {stored} leases of {} cannot be taken", ask.weight, ask.key))
            }
        })
    }

    async fn release(&self, key: &LockKey, lease: &LeaseId, process: &ProcessId) -> Result<Release, Error> {
        let key = key.to_string();
        if let Some(release) = self.link.at_once(|transaction| transaction.release(&key, lease, Some(process))) {
            return Ok(release);
        }
        let (lease, process) = (lease.clone(), process.clone());
        let kind = Kind::Release(key.clone(), lease.clone());
        self.link.ask(kind, move |transaction| transaction.release(&key, &lease, Some(&process))).await
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Vec<Renewed>, Error> {
        let mut renewed = Vec::with_capacity(batch.len());
        for part in batch.chunks(RENEWED_TOGETHER) {
            let part = part.to_vec();
            let answers = self.link.ask(Kind::Question, move |transaction| {
                part.iter().map(|renewal| transaction.renew(renewal)).collect::<Result<Vec<_>, _>>()
            });
            renewed.extend(answers.await?);
        }
        Ok(renewed)
    }

    async fn spend(&self, spend: &Spend) -> Result<Spent, Error> {
        if let Some(spent) = self.link.at_once(|transaction| transaction.spend(spend)) {
            return Ok(spent);
        }
        let spend = spend.clone();
        self.link.ask(Kind::Question, move |transaction| transaction.spend(&spend)).await
    }

    async fn resize(&self, key: &LockKey, leases: Option<u32>) -> Result<(), Error> {
        let key = key.to_string();
        self.link.ask(Kind::Setting, move |transaction| transaction.resize(&key, leases)).await
    }

    async fn list(&self, limit: usize) -> Result<Vec<LockSummary>, Error> {
        self.link.ask(Kind::Read, move |transaction| transaction.list(limit)).await
    }

    async fn inspect(&self, key: &LockKey) -> Result<Option<LockState>, Error> {
        let key = key.clone();
        self.link.ask(Kind::Read, move |transaction| transaction.inspect(&key)).await
    }

    async fn revoke(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        let (key, lease) = (key.to_string(), lease.clone());
        self.link.ask(Kind::Question, move |transaction| transaction.revoke(&key, &lease)).await
    }

    async fn force_release(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        let (key, lease) = (key.to_string(), lease.clone());
        self.link.ask(Kind::Question, move |transaction| transaction.force_release(&key, &lease)).await
    }

    async fn diagnose(&self) -> Result<Vec<Finding>, Error> {
        self.link.ask(Kind::Read, diagnosis::diagnose).await
    }

    async fn close(&self, process: &ProcessId) {
        self.link.close(process.clone()).await;
    }
}
