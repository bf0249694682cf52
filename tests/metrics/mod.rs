//! A real worker is scraped, and its health is asked for.

mod amqp;
mod private;
mod sqlite;
mod stage;
