//! Between preparing and running: a task takes what it must hold, or is put off.

mod rates;

use std::{sync::Arc, time::Duration};

use celeriac_broker::{Busy, Delivery, Jitter, Outcome, Reason, Request, RetryPolicy};
use celeriac_mutex::{Error, Owner};

use crate::{
    decide::Decision,
    leases::{Answer, Ask, HeldLease, Home, Kept, Patience, Wanted, ask, in_order, release},
    shared::Shared,
};

/// Why a task does not hold what it must.
pub(super) enum NotHeld {
    /// It is settled without a run.
    Settle(Decision),
    /// Its attempt has failed.
    Fail(String),
}

/// What a run begins with: its leases, and what its message keeps where it is put off later.
pub(super) type Taken = (Vec<HeldLease>, Kept);

/// How soon a task comes back whose locks' store did not answer.
const UNAVAILABLE: RetryPolicy =
    RetryPolicy::checked(u32::MAX, Duration::from_secs(1), Duration::from_secs(60), Jitter::Equal);

/// How long asking for a holder's name may take.
const NAMING: Duration = Duration::from_secs(1);

/// When to come back after the store for locks did not answer; later each time.
pub(crate) fn unavailable(deferrals: u32) -> Duration {
    let delay = UNAVAILABLE.delay(deferrals.saturating_add(1), None, &mut rand::rng());
    delay.unwrap_or(UNAVAILABLE.backoff.cap)
}

/// Takes the locks of a task in the one order, or says why not; then it holds none.
pub(super) async fn hold<S>(
    shared: &Shared<S>,
    delivery: &Delivery,
    request: &Request,
    locks: Vec<celeriac_broker::LockSpec>,
) -> Result<Taken, NotHeld> {
    let Some(home) = &shared.home else {
        let error = "the task must hold a lock, and this worker has no place for leases".to_owned();
        let decision = Decision::Bury { outcome: Outcome::Rejected, reason: Reason::NoLocks, error };
        return Err(NotHeld::Settle(decision));
    };
    let _preparing = shared.running.prepare();
    let kept = Kept::read(&delivery.message.headers);
    let mut taking = Taking { shared, home: home.clone(), request, kept, held: Vec::new() };
    let taken = tokio::select! {
        biased;
        // A worker that stops begins nothing new, and lets nobody wait for it.
        () = shared.stop.fetching.cancelled() => Err(NotHeld::Settle(Decision::GiveBack)),
        taken = taking.all(in_order(locks)) => taken,
    };
    if let Err(why) = taken {
        release(&taking.held).await;
        return Err(why);
    }
    // They are used up: the run may spend what they were for.
    taking.kept.turns.clear();
    Ok((taking.held, taking.kept))
}

/// A task that takes its locks.
struct Taking<'a, S> {
    shared: &'a Shared<S>,
    home: Arc<Home>,
    request: &'a Request,
    kept: Kept,
    held: Vec<HeldLease>,
}

impl<S> Taking<'_, S> {
    async fn all(&mut self, wanted: Vec<Wanted>) -> Result<(), NotHeld> {
        for wanted in wanted {
            if wanted.is_rate() {
                self.turn(&wanted).await?;
            } else {
                self.one(wanted).await?;
            }
        }
        Ok(())
    }

    async fn one(&mut self, wanted: Wanted) -> Result<(), NotHeld> {
        let place = self.kept.take_place(&wanted.address);
        let first = match wanted.busy() {
            // It has waited in its slot once.
            Busy::Wait(limit) if place.is_none() => Patience::Wait(limit),
            Busy::Skip | Busy::Fail => Patience::None,
            _ => Patience::WaitOrPark(place.as_ref()),
        };
        let mut answer = self.ask(&wanted, first).await;
        if let (Ok(Answer::Busy), Patience::Wait(_)) = (&answer, first) {
            answer = self.ask(&wanted, Patience::Park).await;
        }
        match answer {
            Ok(Answer::Granted(lease)) => {
                self.held.push(HeldLease { labels: wanted.labels, address: wanted.address, lease });
                Ok(())
            }
            Ok(Answer::Parked(next)) => {
                self.kept.places.push((wanted.address, next.ticket));
                Err(self.defer(next.delay, Reason::Busy))
            }
            Ok(Answer::Busy) => Err(self.busy(&wanted).await),
            Err(error) => {
                // It may not have been used.
                self.kept.places.extend(place.map(|place| (wanted.address, place)));
                Err(self.fault(error))
            }
        }
    }

    async fn ask(&self, wanted: &Wanted, patience: Patience<'_>) -> Result<Answer, Error> {
        let spec = &wanted.spec;
        let question = Ask {
            key: wanted.key.clone(),
            leases: spec.leases,
            weight: spec.weight,
            ttl: spec.ttl,
            owner: self.home.locks.owner().task(&self.request.task, self.request.id.as_str()),
        };
        ask(&self.home.locks, question, patience).await
    }

    fn defer(&mut self, delay: Duration, reason: Reason) -> NotHeld {
        NotHeld::Settle(Decision::Defer { delay, reason, kept: std::mem::take(&mut self.kept) })
    }

    /// What a policy says that neither waits nor defers.
    async fn busy(&self, wanted: &Wanted) -> NotHeld {
        let state = tokio::time::timeout(NAMING, self.home.locks.inspect(&wanted.key)).await;
        let holder =
            state.ok().and_then(Result::ok).flatten().and_then(|state| Some(state.holders.first()?.owner.clone()));
        let holder = holder.as_ref().map_or_else(|| "another".to_owned(), Owner::to_string);
        let why = format!("{} is held by {holder}", wanted.address);
        match wanted.busy() {
            Busy::Fail => NotHeld::Fail(why),
            _ => NotHeld::Settle(Decision::Finish { outcome: Outcome::Skipped, reason: Reason::Busy, note: Some(why) }),
        }
    }

    fn fault(&mut self, error: Error) -> NotHeld {
        if let Error::Invalid(error) = error {
            // Its weight, or its key: it would be the same at every attempt.
            let (outcome, reason) = (Outcome::Rejected, Reason::BadArguments);
            return NotHeld::Settle(Decision::Bury { outcome, reason, error });
        }
        let delay = unavailable(self.request.deferrals);
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            task = self.request.task,
            task_id = %self.request.id,
            ?delay,
            "a task is put off: its locks can't be had"
        );
        self.defer(delay, Reason::LocksUnavailable)
    }
}
