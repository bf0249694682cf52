//! The store on a real server.

mod cost;
mod dump;
#[cfg(feature = "redis-sentinel")]
mod failover;
mod faults;
mod keys;
mod links;
mod model;
mod mutants;
mod refusals;
mod restarts;
mod support;
mod waiting;
