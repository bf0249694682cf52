//! The connections for commands: one for each runtime that asks, made there, so that neither a question nor its answer wakes a thread of
//! another. The lease thread's runtime is one of them: what blocks the others keeps no lease from being renewed.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::runtime::{Handle, Id};

use super::{failure::Failure, link::Link, options::RedisOptions, script::Scripts, source::Source};
use crate::store::LeaseId;

/// All of them.
#[derive(Debug)]
pub(super) struct Links {
    source: Source,
    options: RedisOptions,
    scripts: Arc<Scripts>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    links: HashMap<Id, Arc<Link>>,
    /// Where leases were asked for whose askers did not wait for the answer.
    abandoned: HashMap<LeaseId, Arc<Link>>,
}

impl Links {
    pub(super) fn new(source: Source, options: RedisOptions, scripts: Arc<Scripts>) -> Self {
        Self { source, options, scripts, known: Mutex::default() }
    }

    /// That of the runtime that this is called on.
    pub(super) fn here(&self) -> Result<Arc<Link>, Failure> {
        let runtime = Handle::try_current()
            .map_err(|_| Failure::Unavailable("there is no Tokio runtime to connect on".into()))?;
        let mut known = self.known();
        // An id is given again when its runtime has ended.
        if let Some(link) = known.links.get(&runtime.id()).filter(|link| !link.has_ended()) {
            return Ok(link.clone());
        }
        known.links.retain(|_, link| !link.has_ended());
        let link = Link::new(&runtime, self.source.clone(), self.options.clone(), self.scripts.clone());
        let link = Arc::new(link);
        known.links.insert(runtime.id(), link.clone());
        Ok(link)
    }

    /// Notes where a lease was asked for, if the answer is not waited for.
    pub(super) fn asking<'a>(&'a self, lease: &'a LeaseId, link: &Arc<Link>) -> Asking<'a> {
        Asking { links: self, lease, link: Some(link.clone()) }
    }

    /// Where a lease is to be released: on the connection whose question for it may still be on its way, which the release must not
    /// overtake; elsewhere, here.
    pub(super) fn releasing(&self, lease: &LeaseId) -> Result<Arc<Link>, Failure> {
        let abandoned = self.known().abandoned.remove(lease).filter(|link| !link.has_ended());
        abandoned.map_or_else(|| self.here(), Ok)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A question for a lease, on its way.
#[must_use]
#[derive(Debug)]
pub(super) struct Asking<'a> {
    links: &'a Links,
    lease: &'a LeaseId,
    link: Option<Arc<Link>>,
}

impl Asking<'_> {
    pub(super) fn answered(mut self) {
        self.link = None;
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            self.links.known().abandoned.insert(self.lease.clone(), link);
        }
    }
}
