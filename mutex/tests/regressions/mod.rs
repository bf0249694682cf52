//! One test for each way in which others got stuck or lied, named after it: every store passes all of them.

mod clients;
mod coordinators;
mod counters;
mod redisson;

use std::sync::Arc;

use celeriac_mutex::conformance::Fixture;

#[cfg(feature = "redis")]
use crate::support::stores::Redis;
#[cfg(feature = "sqlite")]
use crate::support::stores::Sqlite;
use crate::support::{
    faulty::{Faulty, OPEN},
    stores::Memory,
};

/// A network between a process and the store, whole until it is told otherwise.
fn faulty(fixture: &impl Fixture) -> Arc<Faulty> {
    Faulty::new(fixture.store(), OPEN)
}

macro_rules! regressions {
    ($store:ident, $fixture:expr) => {
        regressions! { @tests $store, $fixture,
            redisson::redisson_1104_dead_waiters
            redisson::redisson_1763_lost_unlock_message
            redisson::redisson_3194_watchdog_stops_after_reconnect
            redisson::redisson_4818_lease_time_of_another_acquisition
            redisson::redisson_gettoken_reads_the_latest_token
            redisson::redisson_5762_semaphore_misses_a_release
            counters::redisson_2045_permits_lost_on_crash
            counters::solid_queue_761_double_release
            counters::solid_queue_456_blocked_though_free
            counters::dramatiq_shared_counter_ttl
            counters::redis_949_blpop_token_lost
            counters::deadpool_130_waiters_exhaust_the_pool
            clients::redis_py_3847_release_cleared_the_token_first
            clients::redis_py_2624_cancelled_command_shifts_the_answers
            clients::redlock_rb_36_extend_revives_an_expired_lock
            clients::redsync_147_extend_creates_a_key
            clients::redlock_net_48_extend_goes_on_after_a_conflict
            clients::rslock_drop_blocks_runtime
            clients::rslock_down_looks_like_taken
            clients::rslock_short_ttl_underflows
            clients::bullmq_3183_blocked_event_loop_loses_the_lock
            clients::celery_once_101_any_copy_deletes_any_lock
            coordinators::kazoo_429_zombie_contender
            coordinators::zk_ruby_49_timed_out_waiter_stays_in_line
            coordinators::curator_315_orphan_on_reconnect
            coordinators::curator_335_deadlock_under_network_stress
            coordinators::curator_462_interrupt_leaves_the_lease
            coordinators::etcd_6127_nobody_says_that_it_is_lost
            coordinators::etcd_9921_waiter_granted_after_its_lease_expired
            coordinators::etcd_17470_kept_alive_though_its_work_is_over
            coordinators::consul_1006_slow_hand_off
            coordinators::consul_2332_two_holders_on_a_flaky_network
            coordinators::consul_4902_already_held_after_loss
        }
    };
    (@tests $store:ident, $fixture:expr, $($group:ident::$test:ident)+) => {
        mod $store {
            use super::*;

            $(
                #[tokio::test]
                async fn $test() {
                    $group::$test(&$fixture).await;
                }
            )+
        }
    };
}

regressions!(memory, Memory::default());
#[cfg(feature = "redis")]
regressions!(redis, Redis);
#[cfg(feature = "sqlite")]
regressions!(sqlite, Sqlite::default());
