//! What every store of leases must do: one claim per function, run over each store by [`conformance!`](crate::conformance!).
//!
//! ```ignore
//! struct Memory(MemoryStore);
//! impl celeriac_mutex::conformance::Fixture for Memory {
//!     fn store(&self) -> Arc<dyn LeaseStore> { Arc::new(self.0.clone()) }
//! }
//! celeriac_mutex::conformance!(memory, Memory(MemoryStore::new()));
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a claim that does not hold panics; that is its purpose")]
#![allow(clippy::missing_panics_doc, reason = "every claim panics where it does not hold")]

mod deaths;
mod leases;
mod line;
mod mutexes;
mod rates;
mod semaphores;
mod steering;
pub mod steps;

use std::{sync::Arc, time::Duration};

pub use self::{deaths::*, leases::*, line::*, mutexes::*, rates::*, semaphores::*, steering::*};
use crate::{Kind, LockKey, Locks, store::LeaseStore};

/// How long leases last, if the claim says nothing else.
pub const TTL: Duration = Duration::from_millis(600);

/// The place that the claims run over: one per claim, or one shared by all of them.
pub trait Fixture {
    /// The place as one more process sees it.
    fn store(&self) -> Arc<dyn LeaseStore>;

    /// One more process, whose leases last [`TTL`].
    fn locks(&self) -> Locks {
        Locks::builder().store(self.store()).ttl(TTL).build().unwrap()
    }

    /// A name that nobody else uses. `stem` says what for.
    fn name(&self, stem: &str) -> String {
        format!("{stem}-{:016x}", rand::random::<u64>())
    }

    /// The key of such a mutex.
    fn key(&self, stem: &str) -> LockKey {
        LockKey::new(Kind::Mutex, &self.name(stem))
    }
}

/// Makes one test per claim, in a module of its own: `conformance!(name, fixture)`.
///
/// The fixture is an expression that is evaluated for each claim. The caller depends on `tokio` with its test macro.
#[macro_export]
macro_rules! conformance {
    ($module:ident, $fixture:expr) => {
        $crate::conformance! { @claims $module, $fixture,
            // Mutexes.
            a_mutex_has_one_holder
            tokens_rise_with_every_grant
            keys_are_independent
            a_waiter_is_handed_the_lock
            many_contenders_never_overlap
            a_dropped_guard_releases
            a_second_release_frees_nothing_of_anothers
            a_question_that_is_repeated_is_granted_once
            // The line.
            waiters_are_served_in_order
            a_release_hands_over_in_its_answer_to_its_own_process_and_by_a_hint_to_another
            a_waiter_that_is_dropped_leaves_the_line
            a_timeout_leaves_the_line
            an_unfair_asker_goes_past_the_line
            a_parked_place_keeps_its_rank
            a_ticket_is_used_once
            a_parked_place_is_passed_over_a_bounded_number_of_times
            a_turn_that_is_soon_is_waited_for_and_the_place_is_kept_where_it_does_not_come
            // Semaphores.
            a_semaphore_has_so_many_holders
            a_heavy_waiter_is_not_overtaken
            the_stored_number_of_leases_wins
            more_leases_serve_those_who_wait
            fewer_leases_take_none_back
            a_weight_beyond_the_stored_leases_is_refused
            a_waiter_for_more_than_is_left_is_told
            // Leases.
            a_held_lease_is_renewed
            a_lease_that_is_not_to_be_renewed_ends
            closing_releases_everything
            // Deaths.
            a_dead_holder_frees_its_lock
            a_dead_waiter_is_skipped
            a_renewal_after_another_was_granted_is_refused
            // Steering.
            a_revoked_holder_is_told_and_keeps_it_until_it_lets_go
            a_forced_release_hands_over_and_is_noticed
            holders_and_waiters_are_shown
            // Rates.
            a_rate_limit_spaces_calls
            those_beyond_the_rate_are_given_turns
        }
    };
    (@claims $module:ident, $fixture:expr, $($claim:ident)+) => {
        mod $module {
            #[allow(unused_imports, reason = "the fixture may be named by its full path")]
            use super::*;

            $(
                #[tokio::test]
                async fn $claim() {
                    $crate::conformance::$claim(&$fixture).await;
                }
            )+
        }
    };
}
