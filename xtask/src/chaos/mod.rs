//! Leases under faults: real processes take them, a seed says what befalls whom, and an oracle says whether all was well.
//!
//! The oracle does not trust the lock: it is a register outside of it that takes writes in the order of their tokens, and a checker
//! of what every process believed, by the one clock that all of them share.

mod admin;
mod check;
mod clock;
mod faults;
mod group;
mod history;
mod proxy;
mod random;
mod register;
mod run;
mod server;
mod workers;

pub use check::{Expected, Findings};
pub use history::{Event, History, Nanos, What};
pub use proxy::Proxy;
pub use run::{Memory, Options, Report, Store, run};
