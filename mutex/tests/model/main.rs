//! Every order in which three clients, their messages, time and faults can meet, over the rules themselves.
//!
//! The store of this model is `celeriac_mutex::rules`, and nothing else: each of its steps is atomic, as a script or a transaction is.
//! Around it, clients ask, wait, renew, release, forget to, and die; requests are slow, arrive late or twice, replies and hints are lost;
//! the store loses its memory. Pauses need no step of their own: nobody ever has to act.
#![allow(missing_docs, reason = "tests are not documented")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails fails its test")]
#![allow(clippy::print_stdout, reason = "the number of states and the mutation score are results")]

mod canon;
mod claims;
mod client;
mod explore;
mod ghost;
mod mutants;
mod step;
mod store;
mod world;
