use std::time::Duration;

use celeriac_broker::{Reason, transport::MAX_DELAY};
use celeriac_mutex::{Error, Rate, RateLimit, store::Spent};

use super::{NotHeld, Taking};
use crate::leases::Wanted;

/// How long after its time a turn that was reserved is good.
const WINDOW: Duration = Duration::from_secs(10);

/// What is waited for in the slot: a way to the broker and back takes longer.
const SHORT: Duration = Duration::from_millis(100);

/// How far ahead turns are reserved. Whoever is beyond that asks again.
const HORIZON: Duration = Duration::from_secs(3600);

impl<S> Taking<'_, S> {
    /// Passes a rate limit, or comes back for the turn that it has reserved, which is paid for.
    pub(super) async fn turn(&mut self, wanted: &Wanted) -> Result<(), NotHeld> {
        let clock = self.shared.broker.clock();
        if let Some(at) = self.kept.turn(&wanted.address) {
            let (early, late) = (clock.until(at), clock.now().duration_since(at).unwrap_or_default());
            if late <= WINDOW {
                return self.wait(early).await;
            }
            self.kept.turns.retain(|(address, _)| *address != wanted.address);
        }
        let left = self.request.deadline.map_or(HORIZON, |deadline| clock.until(deadline));
        let rate = wanted.rate().map_err(|error| self.fault(error))?;
        let spent = self.spend(wanted, rate, HORIZON.min(left)).await.map_err(|error| self.fault(error))?;
        match spent {
            Spent::Now => Ok(()),
            Spent::Reserved(wait) => {
                self.kept.turns.push((wanted.address.clone(), clock.now() + wait));
                self.wait(wait).await
            }
            Spent::Refused(wait) => {
                let spread = wait.mul_f64(rand::random_range(1.0..1.1)).min(MAX_DELAY);
                Err(self.defer(spread, Reason::RateLimited))
            }
        }
    }

    async fn wait(&mut self, wait: Duration) -> Result<(), NotHeld> {
        if wait > SHORT {
            return Err(self.defer(wait, Reason::RateLimited));
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    async fn spend(&self, wanted: &Wanted, rate: Rate, horizon: Duration) -> Result<Spent, Error> {
        let limit = self.home.locks.rate(&wanted.spec.name, rate);
        let limit = wanted.spec.key.iter().fold(limit, RateLimit::key);
        let spending = limit.spend_or_reserve(wanted.spec.weight, horizon);
        let unanswered =
            || Error::Unavailable { address: "the locks' address".to_owned(), message: "no answer in time".to_owned() };
        tokio::time::timeout(WINDOW, spending).await.unwrap_or_else(|_| Err(unanswered()))
    }
}
