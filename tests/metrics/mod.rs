//! A real worker is scraped, and its health is asked for.

mod amqp;
mod private;
mod prometheus;
mod redis;
mod sqlite;
mod stage;
