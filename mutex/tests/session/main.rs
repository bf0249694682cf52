//! One process's part, over a store that fails, hangs and forgets on request.
#![allow(missing_docs, reason = "tests are not documented")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a step that fails fails its test")]

mod cancellation;
mod gates;
mod loss;
mod patience;
