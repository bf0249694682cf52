//! What a mutex and a semaphore have in common.

use std::{future::Future, sync::Arc, time::Duration};

use tracing::{Instrument as _, field};

use crate::{
    Error, Lease, LockKey, Owner, Taken, Ticket,
    session::Session,
    store::{Ask, LeaseId, Queueing},
};

/// One lock, as it is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    pub(crate) session: Arc<Session>,
    pub(crate) key: LockKey,
    pub(crate) leases: u32,
    pub(crate) weight: u32,
    pub(crate) ttl: Duration,
    pub(crate) fair: bool,
    pub(crate) owner: Owner,
    pub(crate) id: Option<LeaseId>,
}

impl Handle {
    pub(crate) fn new(session: Arc<Session>, key: LockKey, leases: u32) -> Self {
        let (ttl, owner) = (session.settings.ttl, session.owner());
        Self { session, key, leases, weight: 1, ttl, fair: true, owner, id: None }
    }

    pub(crate) fn ask(&self) -> Result<Ask, Error> {
        self.key.check()?;
        self.session.check_ttl(self.ttl)?;
        if self.leases == 0 || self.weight == 0 || self.weight > self.leases {
            return Err(Error::Invalid(format!(
                "{} of the {} leases of {} cannot be taken; at least 1 and at most all of them can",
                self.weight, self.leases, self.key
            )));
        }
        Ok(Ask {
            key: self.key.clone(),
            lease: self.id.clone().unwrap_or_else(|| self.session.next_lease()),
            process: self.session.process.clone(),
            leases: self.leases,
            weight: self.weight,
            ttl: self.ttl,
            queueing: Queueing::No,
            place: None,
            fair: self.fair,
            owner: self.owner.clone(),
        })
    }

    pub(crate) async fn take(&self) -> Result<Lease, Error> {
        asking(&self.key, |_| "granted", async { self.session.take(self.ask()?).await }).await
    }

    pub(crate) async fn try_take(&self) -> Result<Option<Lease>, Error> {
        let came_to = |taken: &Option<_>| if taken.is_some() { "granted" } else { "busy" };
        asking(&self.key, came_to, async { self.session.try_take(self.ask()?).await }).await
    }

    pub(crate) async fn take_timeout(&self, timeout: Duration) -> Result<Option<Lease>, Error> {
        match tokio::time::timeout(timeout, self.take()).await {
            Ok(taken) => taken.map(Some),
            Err(_) => Ok(None),
        }
    }

    pub(crate) async fn take_or_park(&self, place: Option<&Ticket>, soon: Duration) -> Result<Taken<Lease>, Error> {
        let came_to = |taken: &Taken<_>| match taken {
            Taken::Granted(_) => "granted",
            Taken::Parked(_) => "parked",
        };
        asking(&self.key, came_to, async { self.session.take_or_park(self.ask()?, place, soon).await }).await
    }
}

/// Asks within the span `celeriac.lock`, which says how it ended; where the answer was not awaited, it says nothing. The key may be
/// an argument, so the span has the name alone.
pub(crate) async fn asking<T>(
    key: &LockKey,
    came_to: impl Fn(&T) -> &'static str,
    ask: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let span = tracing::debug_span!("celeriac.lock", kind = %key.kind(), lock = key.first(), outcome = field::Empty);
    let answer = ask.instrument(span.clone()).await?;
    span.record("outcome", came_to(&answer));
    Ok(answer)
}

/// The options that every lock has.
macro_rules! options {
    () => {
        /// Adds to its key: a text, an integer, a boolean or a tuple of them.
        pub fn key(mut self, key: impl IntoKey) -> Self {
            self.0.key = self.0.key.parts(key.into_parts());
            self
        }

        /// How long a lease lasts from each renewal, and so how long the lock stays taken after its holder has died; 100 ms to
        /// `max_ttl`, by default what [`LocksBuilder::ttl`](crate::LocksBuilder::ttl) says.
        pub fn ttl(mut self, ttl: Duration) -> Self {
            self.0.ttl = ttl;
            self
        }

        /// Takes what is free past those who wait. They are served in their order all the same when a lease is given back.
        pub fn unfair(mut self) -> Self {
            self.0.fair = false;
            self
        }

        /// Who is shown as its holder.
        pub fn owner(mut self, owner: Owner) -> Self {
            self.0.owner = owner;
            self
        }

        /// The id of the lease, instead of a new one for each attempt: who asks again under the id of a lease that is held is granted
        /// the same lease, with the same token. Never a task's id: its message may be delivered twice.
        pub fn id(mut self, id: impl Into<LeaseId>) -> Self {
            self.0.id = Some(id.into());
            self
        }

        /// The lock that it names.
        pub fn lock_key(&self) -> &LockKey {
            &self.0.key
        }
    };
}
pub(crate) use options;
