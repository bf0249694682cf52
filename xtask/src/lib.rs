//! Private RabbitMQ and Redis servers: what `cargo xtask test` runs every test on, and what a test starts for itself
//! when it means to break it; and leases under faults.

pub mod chaos;
pub mod services;
