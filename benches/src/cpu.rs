//! What processes use, as Linux tells it; nothing elsewhere.

use std::{fs, time::Duration};

/// The kernel's clock tick, which user space has seen as 10 ms for as long as there has been a `/proc`.
const TICK: Duration = Duration::from_millis(10);

/// The processor time that a process has used; `self` is a pid too.
pub(crate) fn used(pid: &str) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may contain anything, but no bracket follows it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks: u32 = fields.next()?.parse::<u32>().ok()? + fields.next()?.parse::<u32>().ok()?;
    Some(TICK * ticks)
}

/// The memory of a process that is in RAM, in MiB.
pub(crate) fn resident(pid: &str) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<f64>().ok()? / 1024.0)
}

/// Processor time of this process, from now on.
pub(crate) struct Spent(Option<Duration>);

impl Spent {
    pub(crate) fn begin() -> Self {
        Self(used("self"))
    }

    /// Microseconds for each of `operations`.
    #[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub(crate) fn micros_per(&self, operations: u64) -> f64 {
        let (Some(before), Some(now)) = (self.0, used("self")) else { return f64::NAN };
        now.saturating_sub(before).as_secs_f64() * 1e6 / operations as f64
    }
}
