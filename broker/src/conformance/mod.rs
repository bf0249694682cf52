//! What every transport must do: one claim per function, run over each transport by [`conformance!`](crate::conformance!).
//!
//! ```ignore
//! struct Files(tempfile::TempDir);
//! impl celeriac_broker::conformance::Fixture for Files {
//!     fn broker(&self) -> Broker { Broker::new(&format!("sqlite://{}/queue.db", self.0.path().display())).unwrap() }
//! }
//! celeriac_broker::conformance!(sqlite, Files(tempfile::tempdir().unwrap()));
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a claim that does not hold panics; that is its purpose")]
#![allow(clippy::missing_panics_doc, reason = "every claim panics where it does not hold")]

mod consuming;
mod deaths;
mod delays;
mod publishing;
mod queues;
mod settling;
mod steps;

pub use consuming::*;
pub use deaths::*;
pub use delays::*;
pub use publishing::*;
pub use queues::*;
pub use settling::*;

use crate::{Broker, Queue};

/// The store that the claims run over: one per claim, or one shared by all of them.
pub trait Fixture {
    /// The store as one more process sees it. Closing the broker is that process's end.
    fn broker(&self) -> Broker;

    /// A queue that nobody else uses. `stem` says what for.
    fn queue(&self, stem: &str) -> Queue {
        Queue::new(format!("{stem}-{}", uuid::Uuid::now_v7())).unwrap()
    }
}

/// Makes one test per claim, in a module of its own: `conformance!(name, fixture)`.
///
/// The fixture is an expression that is evaluated for each claim. A third argument replaces the attribute
/// `#[tokio::test]`, as in `conformance!(memory, Memory::new(), tokio::test(start_paused = true))`.
#[macro_export]
macro_rules! conformance {
    ($module:ident, $fixture:expr) => {
        $crate::conformance!($module, $fixture, tokio::test);
    };
    ($module:ident, $fixture:expr, $test:meta) => {
        $crate::conformance! { @claims $module, $fixture, $test,
            // Publishing.
            a_published_message_is_delivered
            every_part_of_a_message_survives
            a_message_that_is_no_task_survives
            a_large_body_survives
            hundreds_in_flight_all_arrive_once
            messages_arrive_in_the_order_of_publishing
            priorities_go_first
            a_message_outlives_its_process
            a_closed_broker_says_so
            // Delays.
            a_delay_is_never_early
            a_short_delay_does_not_wait_behind_a_long_one
            a_delayed_message_outlives_its_process
            the_longest_delay_is_taken_and_a_longer_one_refused
            delayed_messages_are_counted
            // Consuming.
            a_waiting_consumer_is_woken
            a_dropped_next_loses_nothing
            prefetch_bounds_what_is_unsettled
            two_consumers_share
            two_processes_share
            stop_gives_back_what_was_not_started
            what_is_unsettled_at_stop_can_still_be_settled
            a_consumer_outlives_the_deletion_of_its_queue
            // Settling.
            an_acknowledged_message_is_gone
            replace_leaves_exactly_one
            a_delayed_copy_comes_later
            a_copy_may_go_to_another_queue
            a_given_back_message_keeps_its_count
            // Deaths.
            what_a_dead_process_held_comes_back_counted
            every_death_counts
            an_ack_after_loss_is_refused
            a_replace_after_loss_is_refused
            suspects_come_one_at_a_time
            copies_of_suspects_are_suspects
            // Queues.
            a_declared_queue_is_there_with_its_dead_letter_queue
            an_unknown_queue_is_none
            counts_are_true_or_unknown
            the_dead_letter_queue_is_an_ordinary_queue
            purge_deletes_what_is_ready
            delete_keeps_dead_letters
            sweep_loses_nothing
            sweep_stops_where_it_is_told
            a_look_leaves_the_order_as_it_was
            a_ping_is_answered
        }
    };
    (@claims $module:ident, $fixture:expr, $test:meta, $($claim:ident)+) => {
        mod $module {
            #[allow(unused_imports, reason = "the fixture may be named by its full path")]
            use super::*;

            $(
                #[$test]
                async fn $claim() {
                    $crate::conformance::$claim(&$fixture).await;
                }
            )+
        }
    };
}
