//! Leases in Redis: every operation is one script, so that it happens wholly or not at all, by the server's clock.
//!
//! # Layout
//!
//! - `scripts/` says in Lua what `rules` says in Rust; `script` puts them together.
//! - `links` hands out the connections for commands, one for each runtime; `keeper` makes the one of a `link`; `hints` has the one that
//!   hears. All are remade for ever. `source` is where connections come from, `facts` is what a server says of itself then.
//! - `arguments` writes questions, `reply` reads answers, `call` carries both. `view` is for operators.
//!
//! A lock is the value `<namespace>:{<kind>:<name>}`, and, while somebody waits, the three keys beside it: `:w` who, `:q` in what order,
//! `:d` until when.

mod arguments;
mod backoff;
mod call;
mod facts;
mod failure;
mod hints;
mod keeper;
mod link;
mod links;
mod options;
mod reply;
mod script;
#[cfg(feature = "redis-sentinel")]
mod sentinel;
mod sessions;
mod source;
#[cfg(test)]
mod tests;
mod view;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use deadpool_redis::{Pool, redis::cmd};
use tokio::{runtime::Handle, sync::mpsc, time::Instant};

pub use self::options::RedisOptions;
use self::{
    arguments::Keys,
    call::Caller,
    failure::Failure,
    link::Link,
    links::Links,
    script::{Script, Scripts},
    sessions::Sessions,
    source::Source,
};
use crate::{
    Error, LockKey,
    store::{
        Answer, Ask, Capabilities, Finding, Hint, LeaseId, LeaseStore, LockState, LockSummary, ProcessId, Queueing,
        Release, Renewal, Renewed, Spend, Spent,
    },
};

/// Leases in Redis: for processes on many machines.
#[derive(Debug)]
pub struct RedisStore {
    source: Source,
    options: RedisOptions,
    scripts: Arc<Scripts>,
    sessions: Sessions,
    links: Links,
}

impl RedisStore {
    /// A store at an address such as `redis://user:password@localhost:6379/0`; connects when it is first used. With the feature
    /// `redis-sentinel` also `redis+sentinel://user:password@host:26379,host:26379/master?db=0`, with `redis-tls` both with `rediss`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where the address or the options make no sense.
    pub fn from_url(url: &str, options: RedisOptions) -> Result<Self, Error> {
        let source = Source::of_url(url, &options)?;
        Self::new(source, options, None)
    }

    /// A store that takes its connections from a pool for good: one for each runtime that asks, one for the thread that renews, and one that
    /// hears; as they cannot subscribe, that one blocks on a list of its own.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] where the options make no sense.
    pub fn from_pool(pool: Pool, options: RedisOptions) -> Result<Self, Error> {
        Self::new(Source::of_pool(pool), options, None)
    }

    fn new(source: Source, options: RedisOptions, scripts: Option<Scripts>) -> Result<Self, Error> {
        options.check()?;
        let scripts = Arc::new(scripts.unwrap_or_else(|| Scripts::new(&options)));
        let links = Links::new(source.clone(), options.clone(), scripts.clone());
        Ok(Self { links, source, options, scripts, sessions: Sessions::default() })
    }

    fn keys(&self) -> Keys<'_> {
        Keys { namespace: &self.options.namespace, source: &self.source }
    }

    fn caller(&self) -> Result<Caller<'_>, Failure> {
        self.links.here().map(|link| self.caller_on(link))
    }

    fn caller_on(&self, link: Arc<Link>) -> Caller<'_> {
        Caller { link, scripts: &self.scripts, options: &self.options }
    }

    /// What was said, or why nothing was.
    async fn told<T>(&self, said: impl Future<Output = Result<T, Failure>>) -> Result<T, Error> {
        said.await.map_err(|failure| failure.at(&self.source.address))
    }

    async fn ask(&self, ask: &Ask) -> Result<Answer, Failure> {
        let wait = |(replicas, at_most): (u32, Duration)| {
            let mut wait = cmd("WAIT");
            wait.arg(replicas).arg(at_most.as_millis().max(1).to_string());
            wait
        };
        let then = self.options.replicas.map(wait);
        let caller = self.caller()?;
        let asking = self.links.asking(&ask.lease, &caller.link);
        let values = caller.send(&[self.keys().acquire(ask)], then.as_slice()).await;
        asking.answered();
        let values = values?;
        let Some((replicas, at_most)) = self.options.replicas else {
            return reply::answer(values.first().ok_or_else(|| Failure::strange("nothing"))?, ask);
        };
        let [value, reached] = &*values else { return Err(Failure::strange("an answer of another length")) };
        let (answer, reached) = (reply::answer(value, ask)?, reply::unsigned(reached)?);
        if matches!(answer, Answer::Granted(_)) && reached < replicas.into() {
            caller.call(self.keys().release(&ask.key, &ask.lease, None)).await?;
            return Err(Failure::Unavailable(format!(
                "{reached} of {replicas} replicas had the lease within {at_most:?}; it was given back"
            )));
        }
        Ok(answer)
    }

    async fn renew_all(&self, batch: &[Renewal]) -> Result<Vec<Renewed>, Failure> {
        let (orders, calls): (Vec<_>, Vec<_>) = self.keys().renew(batch).into_iter().unzip();
        let mut renewed = vec![Renewed::Lost; batch.len()];
        if calls.is_empty() {
            return Ok(renewed);
        }
        let values = self.caller()?.send(&calls, &[]).await?;
        for (order, value) in orders.iter().zip(&values) {
            let answers = reply::list(value)?;
            if answers.len() != order.len() {
                return Err(Failure::strange("answers to other renewals"));
            }
            for (entry, answer) in order.iter().zip(answers) {
                renewed[*entry] = match reply::renewed(answer, &batch[*entry])? {
                    // It was handed over, which no replica may know: who is told to ask again waits for them.
                    Renewed::Granted(_) if self.options.replicas.is_some() => Renewed::Lost,
                    renewed => renewed,
                };
            }
        }
        Ok(renewed)
    }

    /// A call whose answer is yes or no.
    async fn says(&self, script: Script, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        self.told(async { reply::int(&self.caller()?.call(self.keys().of_lease(script, key, lease)).await?) })
            .await
            .map(|said| said == 1)
    }
}

#[async_trait]
impl LeaseStore for RedisStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::networked()
    }

    fn open(&self, process: &ProcessId, runtime: &Handle, hints: mpsc::Sender<Hint>) {
        self.sessions.open(&self.source, &self.options, process, runtime, hints);
    }

    async fn acquire(&self, ask: &Ask) -> Result<Answer, Error> {
        if ask.queueing == Queueing::Wait {
            self.sessions.heard(&ask.process, Instant::now() + self.options.response_timeout).await;
        }
        self.told(self.ask(ask)).await
    }

    async fn release(&self, key: &LockKey, lease: &LeaseId, process: &ProcessId) -> Result<Release, Error> {
        // What replicas may not know is not handed over by an answer: who is told to look asks again, and waits for them.
        let here = Some(process).filter(|_| self.options.replicas.is_none());
        self.told(async {
            let caller = self.caller_on(self.links.releasing(lease)?);
            reply::release(&caller.call(self.keys().release(key, lease, here)).await?)
        })
        .await
    }

    async fn renew(&self, batch: &[Renewal]) -> Result<Vec<Renewed>, Error> {
        self.told(self.renew_all(batch)).await
    }

    async fn spend(&self, spend: &Spend) -> Result<Spent, Error> {
        self.told(async { reply::spent(&self.caller()?.call(self.keys().spend(spend)).await?) }).await
    }

    async fn resize(&self, key: &LockKey, leases: Option<u32>) -> Result<(), Error> {
        self.told(async { self.caller()?.call(self.keys().resize(key, leases)).await.map(drop) }).await
    }

    async fn list(&self, limit: usize) -> Result<Vec<LockSummary>, Error> {
        self.told(async { view::list(&self.caller()?, &self.keys(), limit).await }).await
    }

    async fn inspect(&self, key: &LockKey) -> Result<Option<LockState>, Error> {
        self.told(async { view::inspect(&self.caller()?, &self.keys(), key).await }).await
    }

    async fn revoke(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        self.says(Script::Revoke, key, lease).await
    }

    async fn force_release(&self, key: &LockKey, lease: &LeaseId) -> Result<bool, Error> {
        self.says(Script::ForceRelease, key, lease).await
    }

    async fn diagnose(&self) -> Result<Vec<Finding>, Error> {
        self.told(async { view::diagnose(&self.caller()?).await }).await
    }

    async fn close(&self, process: &ProcessId) {
        self.sessions.close(process);
    }
}
