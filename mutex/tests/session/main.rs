//! One process's part, over a store that fails, hangs and forgets on request.
#![allow(missing_docs, reason = "tests are not documented")]

mod cancellation;
mod gates;
mod loss;
mod patience;
