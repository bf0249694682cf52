use std::fmt;

/// A number that rises with every grant of one lock.
///
/// Send it along with a write, and let the resource refuse a token lower than the highest that it has seen: then a holder that was
/// stopped in the middle of its work, and goes on after its lease went to another, changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FencingToken(u64);

impl FencingToken {
    /// The token of that number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number: below 2^53, so that any format carries it.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a lease is no longer held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaseLost {
    /// It could not be renewed in time; the store may give it to another soon.
    Unreachable,
    /// The store says that it is no longer ours: it ended while this process was stopped, or an operator released it.
    Taken,
    /// An operator asked that it be let go.
    Revoked,
    /// It was not to be renewed any longer: its task is past its hard time limit.
    Overlong,
}

impl LeaseLost {
    /// The member as it is written in logs and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Taken => "taken",
            Self::Revoked => "revoked",
            Self::Overlong => "overlong",
        }
    }
}

impl fmt::Display for LeaseLost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "it could not be renewed in time",
            Self::Taken => "the store gave it away",
            Self::Revoked => "an operator revoked it",
            Self::Overlong => "its task is past its hard time limit",
        })
    }
}
