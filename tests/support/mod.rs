//! What tests stand on: services, child processes, connection faults, and waiting with a bound.

#![allow(dead_code, unused_imports, reason = "shared by every test file, and each uses a part")]

mod child;
mod paths;
mod proxy;
mod rabbit;
mod services;
mod wait;

pub use child::Child;
pub use paths::{binary, example};
pub use proxy::Proxy;
pub use rabbit::PrivateRabbit;
pub use services::{amqp_url, promtool, python, redis_url, unique};
pub use wait::{BOUND, eventually, eventually_ok, within};
