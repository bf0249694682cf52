use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::Nanos;

/// The clock that all processes of this machine share.
pub(super) fn now() -> Nanos {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let clock = ClockId::CLOCK_BOOTTIME;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let clock = ClockId::CLOCK_MONOTONIC;
    clock_gettime(clock).map_or(0, |now| nanos(Duration::from(now)))
}

pub(super) fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
