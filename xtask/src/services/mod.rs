//! Servers of our own on free loopback ports, with their data under `target/services/`.
//!
//! A service never outlives the process that started it: it is ended by pid when its value is dropped, and by a guardian
//! process should we be killed before that.

mod error;
mod folder;
mod process;
mod program;
mod prometheus;
mod rabbit;
mod redis;

pub use error::Error;
pub use folder::{Folder, target_directory};
pub use program::find as find_program;
pub use prometheus::Prometheus;
pub use rabbit::{RABBITMQ_SCRIPTS, Rabbit, RabbitOptions};
pub use redis::Redis;

/// Finds a TCP port on 127.0.0.1 that nobody listens on.
///
/// # Errors
/// [`Error::Io`] when the loopback interface has none left.
pub fn free_port() -> Result<u16, Error> {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| Error::io("looking for a free port", source))
}
