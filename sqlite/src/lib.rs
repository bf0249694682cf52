//! What Celeriac's two SQLite stores share: one file, several processes.
//!
//! The broker keeps queues in a SQLite file, the locks keep leases in one, and it may be the same. Both reach it by a [`DatabasePath`], refuse
//! [network file systems](check_filesystem), take turns with other processes at a [`Turnstile`], write their tables by a [`Schema`] of their own, prepare
//! [`statements!`] once, and notice when the file is replaced: [`Database`]. A part of their implementation, not of what they promise: it names
//! rusqlite's types and follows them.

mod database;
mod fault;
mod filesystem;
mod path;
mod schema;
mod statements;
mod turnstile;

pub use self::{
    database::{Database, Synchronous},
    fault::Fault,
    filesystem::check as check_filesystem,
    path::DatabasePath,
    schema::Schema,
    statements::plan,
    turnstile::{Turn, Turnstile, holder},
};
#[doc(hidden)]
pub use rusqlite;
