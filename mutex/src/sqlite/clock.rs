//! The store's clock: one for every process on this machine, and it never goes back.

use std::{
    cell::Cell,
    time::{Duration, SystemTime},
};

use rusqlite::{Connection, OptionalExtension};

use crate::rules::{Micros, micros};

/// What the machine has counted since it started, and a distance that the first to open the file has written into it.
///
/// The machine's own count cannot be set, so neither a rate limit nor a place in line is ever a prisoner of somebody who sets the time.
#[derive(Debug)]
pub(super) struct Clock {
    /// From the machine's count to microseconds since 1970.
    ahead: i64,
    last: Cell<Micros>,
}

/// What the file says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    /// The start of the machine that it is of.
    boot: String,
    ahead: i64,
    /// A time that was certainly reached.
    reached: i64,
}

/// What the machine says of it.
struct Machine {
    boot: String,
    count: i64,
    real: i64,
}

impl Clock {
    /// Reads the clock of a file, or begins it. In a transaction. `reached` is what this process has seen on a clock before.
    pub(super) fn open(connection: &Connection, reached: Micros) -> rusqlite::Result<Self> {
        let written = connection
            .query_row("SELECT boot, ahead, reached FROM celeriac_lock_clock", [], |row| {
                Ok(Written { boot: row.get(0)?, ahead: row.get(1)?, reached: row.get(2)? })
            })
            .optional()?;
        let machine = Machine { boot: boot(), count: count(), real: real() };
        let ahead = settled(written.as_ref(), &machine, signed(reached));
        let clock = Self { ahead, last: Cell::new(reached) };
        connection.execute(
            "INSERT INTO celeriac_lock_clock (id, boot, ahead, reached) VALUES (1, ?1, ?2, ?3)
                ON CONFLICT (id) DO UPDATE SET boot = ?1, ahead = ?2, reached = ?3",
            (&machine.boot, ahead, signed(clock.now())),
        )?;
        Ok(clock)
    }

    /// Microseconds since 1970.
    pub(super) fn now(&self) -> Micros {
        let now = unsigned(count().saturating_add(self.ahead)).max(self.last.get());
        self.last.set(now);
        now
    }

    /// What the time of day was, for people.
    pub(super) fn time_of(&self, at: Micros) -> SystemTime {
        let (now, here) = (SystemTime::now(), self.now());
        let time = if at <= here {
            now.checked_sub(Duration::from_micros(here - at))
        } else {
            now.checked_add(Duration::from_micros(at - here))
        };
        time.unwrap_or(now)
    }

    /// How far the time of day is from it.
    pub(super) fn distance(&self) -> Duration {
        Duration::from_micros(self.now().abs_diff(unsigned(real())))
    }
}

/// The distance from the machine's count to this clock: the one written since the machine started; or by the time of day, but never before
/// what was reached.
fn settled(written: Option<&Written>, machine: &Machine, reached: i64) -> i64 {
    let reached = written.map_or(reached, |written| reached.max(written.reached));
    let known = written.filter(|written| written.boot == machine.boot && machine.count + written.ahead >= reached);
    known.map_or(machine.real.max(reached) - machine.count, |written| written.ahead)
}

/// As SQLite keeps it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// As it was before it was kept.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn real() -> i64 {
    signed(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, micros))
}

/// Microseconds since the machine started, its sleep included.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn count() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_nsec / 1000)
}

/// Elsewhere the time of day has to do.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn count() -> i64 {
    real()
}

/// Which start of the machine this is, as Linux tells.
fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(boot: &str, count: i64, real: i64) -> Machine {
        Machine { boot: boot.into(), count, real }
    }

    fn written(boot: &str, ahead: i64, reached: i64) -> Written {
        Written { boot: boot.into(), ahead, reached }
    }

    #[test]
    fn setting_the_time_of_day_changes_nothing_before_the_next_start() {
        assert_eq!(settled(None, &machine("a", 10, 1000), 0), 990);
        for real in [0, 500, 1000, 1_000_000] {
            assert_eq!(settled(Some(&written("a", 990, 1001)), &machine("a", 20, real), 0), 990);
        }
    }

    #[test]
    fn after_a_start_it_goes_on_no_earlier_than_it_was() {
        let before = written("a", 990, 5000);
        assert_eq!(settled(Some(&before), &machine("b", 10, 6000), 0), 5990);
        assert_eq!(settled(Some(&before), &machine("b", 10, 100), 0), 4990);
        // Long after the start, the distance of the one before would do as well, and be wrong.
        assert_eq!(settled(Some(&before), &machine("b", 6000, 8000), 0), 2000);
        // The same start, and yet the count went back: the machine is a copy of what it was.
        assert_eq!(settled(Some(&before), &machine("a", 10, 100), 0), 4990);
    }

    #[test]
    fn a_process_goes_on_where_it_was_when_the_file_was_removed() {
        assert_eq!(settled(None, &machine("a", 10, 100), 7000), 6990);
    }
}
