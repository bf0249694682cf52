//! The stores that tests run over, and a store behind a network that fails on request.

pub(crate) mod faulty;
pub(crate) mod stores;
