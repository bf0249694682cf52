//! Every claim of the suite, over every transport that needs no server.
#![cfg(feature = "conformance")]
#![allow(missing_docs, reason = "tests are not documented")]
#![allow(clippy::unwrap_used, reason = "a fixture that can't be made fails its test")]

use std::sync::Arc;

use celeriac_broker::{Broker, conformance::Fixture, memory::MemoryTransport};

struct Memory(MemoryTransport);

impl Memory {
    fn new() -> Self {
        Self(MemoryTransport::new())
    }
}

impl Fixture for Memory {
    fn broker(&self) -> Broker {
        Broker::builder().build_on(Arc::new(self.0.another_process()), "memory://")
    }
}

celeriac_broker::conformance!(memory, Memory::new());
celeriac_broker::conformance!(memory_in_paused_time, Memory::new(), tokio::test(start_paused = true));

#[cfg(feature = "sqlite")]
mod file {
    use celeriac_broker::{Broker, conformance::Fixture};

    pub(super) struct File(tempfile::TempDir);

    impl File {
        pub(super) fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }
    }

    impl Fixture for File {
        fn broker(&self) -> Broker {
            Broker::new(&format!("sqlite://{}/queues.db?claim_lease=1s", self.0.path().display())).unwrap()
        }
    }
}

#[cfg(feature = "sqlite")]
celeriac_broker::conformance!(sqlite, file::File::new());
#[cfg(feature = "sqlite")]
celeriac_broker::conformance!(
    sqlite_on_many_threads,
    file::File::new(),
    tokio::test(flavor = "multi_thread", worker_threads = 2)
);
