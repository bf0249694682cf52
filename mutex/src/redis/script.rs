//! The scripts: what `rules` says, in Lua.

use super::options::RedisOptions;
use crate::{
    rules::{
        acquire::{STALE, UNKNOWN_HOLD},
        micros,
        pump::{AT_ONCE, LATENESS},
    },
    store::{MAX_BYPASS, PLACE_DELAY, PLACE_GRACE, PROBATION, RETENTION, WAITER_TTL},
};

/// How long a hint lies in an inbox that nobody empties, milliseconds.
const INBOX: u32 = 15_000;

const CLOCK: &str = include_str!("scripts/clock.lua");
const LOCK: &str = include_str!("scripts/lock.lua");
const LINE: &str = include_str!("scripts/line.lua");
const PUMP: &str = include_str!("scripts/pump.lua");

/// One script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    Acquire,
    Release,
    Renew,
    Spend,
    Resize,
    Revoke,
    ForceRelease,
    Inspect,
    Summary,
}

impl Script {
    pub(super) const ALL: [Self; 9] = [
        Self::Acquire,
        Self::Release,
        Self::Renew,
        Self::Spend,
        Self::Resize,
        Self::Revoke,
        Self::ForceRelease,
        Self::Inspect,
        Self::Summary,
    ];

    /// What stands in front of it, and itself.
    fn parts(self) -> &'static [&'static str] {
        match self {
            Self::Acquire => &[
                CLOCK,
                include_str!("scripts/acquire_quiet.lua"),
                LOCK,
                LINE,
                PUMP,
                include_str!("scripts/acquire.lua"),
            ],
            Self::Release => &[
                CLOCK,
                include_str!("scripts/release_quiet.lua"),
                LOCK,
                LINE,
                PUMP,
                include_str!("scripts/release.lua"),
            ],
            Self::Renew => &[CLOCK, LOCK, LINE, PUMP, include_str!("scripts/renew.lua")],
            Self::Spend => &[CLOCK, include_str!("scripts/spend.lua")],
            Self::Resize => &[CLOCK, LOCK, LINE, PUMP, include_str!("scripts/resize.lua")],
            Self::Revoke => &[CLOCK, LOCK, LINE, PUMP, include_str!("scripts/revoke.lua")],
            Self::ForceRelease => &[CLOCK, LOCK, LINE, PUMP, include_str!("scripts/force_release.lua")],
            Self::Inspect => &[CLOCK, LOCK, LINE, include_str!("scripts/inspect.lua")],
            Self::Summary => &[CLOCK, LOCK, LINE, include_str!("scripts/summary.lua")],
        }
    }
}

/// The texts of all scripts, for one namespace and one longest ttl.
#[derive(Debug, Clone)]
pub(super) struct Scripts([String; Script::ALL.len()]);

impl Scripts {
    pub(super) fn new(options: &RedisOptions) -> Self {
        let constants = constants(options);
        Self(Script::ALL.map(|script| format!("{constants}{}", script.parts().concat())))
    }

    pub(super) fn text(&self, script: Script) -> &str {
        &self.0[script as usize]
    }

    /// Replaces a piece of every script that has it, which at least one must.
    #[cfg(test)]
    pub(super) fn patch(&mut self, from: &str, to: &str) {
        assert!(self.0.iter().any(|text| text.contains(from)), "no script contains {from:?}");
        for text in &mut self.0 {
            *text = text.replace(from, to);
        }
    }
}

/// The numbers of the rules, so that each stands in one place; and what is where in a holder, and in a state.
fn constants(RedisOptions { namespace, max_ttl, .. }: &RedisOptions) -> String {
    format!(
        "local NAMESPACE, MAX_TTL = '{namespace}:', {}\n\
         local PROBATION, WAITER_TTL, LATENESS = {}, {}, {}\n\
         local PLACE_DELAY_MIN, PLACE_DELAY_MAX, PLACE_GRACE = {}, {}, {}\n\
         local UNKNOWN_HOLD, MAX_BYPASS, AT_ONCE, STALE = {UNKNOWN_HOLD}, {MAX_BYPASS}, {AT_ONCE}, {STALE}\n\
         local RETENTION, INBOX = {}, {INBOX}\n\
         local LEASE, PROCESS, WEIGHT, ENDS, SINCE, FENCE, REVOKED, OWNER = 1, 2, 3, 4, 5, 6, 7, 8\n\
         local HOLDERS = 7\n",
        micros(*max_ttl),
        micros(PROBATION),
        micros(WAITER_TTL),
        micros(LATENESS),
        micros(*PLACE_DELAY.start()),
        micros(*PLACE_DELAY.end()),
        micros(PLACE_GRACE),
        RETENTION.as_millis(),
    )
}
