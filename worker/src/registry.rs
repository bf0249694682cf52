//! Handlers by the names on the wire, their types erased.

use std::{collections::HashMap, future::Future, marker::PhantomData, pin::Pin, sync::Arc, time::Duration};

use celeriac_broker::{DeclaredLock, LockSpec, Reason, Request, TaskError, TaskOptions};
use serde_json::{Map, Value};

use crate::{Check, Context, Error, Handler};

/// Why a message can't be run.
#[derive(Debug, Clone)]
pub(crate) struct Rejection {
    pub(crate) reason: Reason,
    pub(crate) fault: String,
}

impl Rejection {
    pub(crate) fn new(reason: Reason, fault: impl std::fmt::Display) -> Self {
        Self { reason, fault: fault.to_string() }
    }
}

/// How an attempt ended that did not fail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ran {
    /// The handler ran.
    Done,
    /// Its check said that it is too early.
    Deferred(Duration),
    /// Its check said that there is nothing to do, and why.
    Skipped(String),
}

/// One attempt's future.
pub(crate) type RunFuture = Pin<Box<dyn Future<Output = Result<Ran, TaskError>> + Send>>;

/// A handler whose task type is known to itself alone.
pub(crate) trait Runnable<S>: Send + Sync {
    fn name(&self) -> &'static str;
    fn options(&self) -> &TaskOptions;
    fn declared(&self) -> &'static [DeclaredLock];
    fn arguments(&self, request: &Request) -> Result<Map<String, Value>, Rejection>;
    fn bind(&self, request: &Request) -> Result<Box<dyn Bound<S>>, Rejection>;
}

/// A task with its arguments, ready to run.
pub(crate) trait Bound<S>: Send {
    fn locks(&self) -> Vec<LockSpec>;
    fn tags(&self) -> Vec<(&'static str, String)>;
    fn run(self: Box<Self>, ctx: Context<S>) -> RunFuture;
}

struct Typed<T> {
    options: TaskOptions,
    task: PhantomData<fn() -> T>,
}

impl<S: Send + Sync + 'static, T: Handler<S>> Runnable<S> for Typed<T> {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn options(&self) -> &TaskOptions {
        &self.options
    }

    fn declared(&self) -> &'static [DeclaredLock] {
        T::LOCKS
    }

    fn arguments(&self, request: &Request) -> Result<Map<String, Value>, Rejection> {
        request.bind(T::ARGS, T::ALLOW_UNKNOWN).map_err(|fault| Rejection::new(Reason::BadArguments, fault))
    }

    fn bind(&self, request: &Request) -> Result<Box<dyn Bound<S>>, Rejection> {
        let task: T =
            Request::task_of(self.arguments(request)?).map_err(|fault| Rejection::new(Reason::BadArguments, fault))?;
        Ok(Box::new(Arguments(task)))
    }
}

struct Arguments<T>(T);

impl<S: Send + Sync + 'static, T: Handler<S>> Bound<S> for Arguments<T> {
    fn locks(&self) -> Vec<LockSpec> {
        self.0.locks()
    }

    fn tags(&self) -> Vec<(&'static str, String)> {
        self.0.tags()
    }

    fn run(self: Box<Self>, ctx: Context<S>) -> RunFuture {
        Box::pin(async move {
            Ok(match self.0.check(&ctx).await? {
                Check::Run => self.0.run(ctx).await.map(|_| Ran::Done)?,
                Check::Defer(delay) => Ran::Deferred(delay),
                Check::Skip(why) => Ran::Skipped(why),
            })
        })
    }
}

/// Every handler of a worker.
pub(crate) struct Registry<S> {
    by_name: HashMap<&'static str, Arc<dyn Runnable<S>>>,
    duplicate: Option<&'static str>,
}

impl<S: Send + Sync + 'static> Registry<S> {
    pub(crate) fn new() -> Self {
        Self { by_name: HashMap::new(), duplicate: None }
    }

    pub(crate) fn register<T: Handler<S>>(&mut self) {
        let runnable: Arc<dyn Runnable<S>> = Arc::new(Typed::<T> { options: T::options(), task: PhantomData });
        for name in std::iter::once(T::NAME).chain(T::ALIASES.iter().copied()) {
            if self.by_name.insert(name, runnable.clone()).is_some() {
                self.duplicate.get_or_insert(name);
            }
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.duplicate {
            Some(name) => Err(Error::DuplicateTask { name: name.to_owned() }),
            None => Ok(()),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<dyn Runnable<S>>> {
        self.by_name.get(name)
    }

    /// Every name on the wire, with the name and the queue of the task that it stands for.
    #[cfg(feature = "metrics")]
    pub(crate) fn names(&self) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        self.by_name.iter().map(|(name, runnable)| {
            (*name, runnable.name(), runnable.options().queue.unwrap_or(TaskOptions::DEFAULT_QUEUE))
        })
    }

    /// Every handler once.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<dyn Runnable<S>>> {
        self.by_name.iter().filter(|(name, runnable)| **name == runnable.name()).map(|(_, runnable)| runnable)
    }
}
