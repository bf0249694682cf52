//! Every order in which three clients, their messages, time and faults can meet, over the rules themselves.
//!
//! The store of this model is `celeriac_mutex::rules`, and nothing else: each of its steps is atomic, as a script or a transaction is.
//! Around it, clients ask, wait, renew, release, forget to, and die; requests are slow, arrive late or twice, replies and hints are lost;
//! the store loses its memory. Pauses need no step of their own: nobody ever has to act.

mod canon;
mod claims;
mod client;
mod explore;
mod ghost;
mod mutants;
mod step;
mod store;
mod world;
