//! The store on a real server.

mod model;
mod support;
