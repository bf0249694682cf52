//! The store on a real server.

mod cost;
mod faults;
mod keys;
mod model;
mod mutants;
mod refusals;
mod restarts;
mod support;
mod waiting;
