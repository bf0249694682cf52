//! Every store keeps every claim.

use crate::support::stores::Memory;
#[cfg(feature = "redis")]
use crate::support::stores::Redis;
#[cfg(feature = "sqlite")]
use crate::support::stores::Sqlite;

celeriac_mutex::conformance!(memory, Memory::default());
#[cfg(feature = "redis")]
celeriac_mutex::conformance!(redis, Redis);
#[cfg(feature = "sqlite")]
celeriac_mutex::conformance!(sqlite, Sqlite::default());
