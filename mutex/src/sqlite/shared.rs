use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use celeriac_sqlite::DatabasePath;

use super::{fault::Fault, file::File, keeper::Keeper, transaction::Transaction};

/// What the thread and those who ask use in turns.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// What is on its way to the thread or being done there.
    queued: Arc<AtomicUsize>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) keeper: Keeper,
    pub(super) file: Option<File>,
    /// Until when the thread sleeps.
    wakes_at: Instant,
}

/// Something that the thread will do; nobody goes past it. Ends when it is done.
#[derive(Debug)]
pub(super) struct Queued(Arc<AtomicUsize>);

/// What was asked on the asker's own thread.
pub(super) struct Done<T> {
    pub(super) value: T,
    /// Whether the thread must be told, as there is something to do for it sooner than it knows.
    pub(super) wake: bool,
}

impl Shared {
    pub(super) fn new(path: DatabasePath) -> Self {
        let state = State { keeper: Keeper::new(path), file: None, wakes_at: Instant::now() };
        Self { state: Mutex::new(state), queued: Arc::default() }
    }

    /// For the thread: waits until it has its turn, and those who come after it wait for it.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        let _queued = self.queue();
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queue(&self) -> Queued {
        self.queued.fetch_add(1, Ordering::SeqCst);
        Queued(self.queued.clone())
    }

    /// Asks on this very thread, in a transaction of its own, which takes as long as it takes to write a page or two into the system's
    /// cache. `None`: it would have to wait, for whatever reason, or it has failed; nothing has happened, and the thread is to do it.
    pub(super) fn at_once<T>(
        &self,
        act: impl FnOnce(&mut Transaction<'_, '_, '_>) -> Result<T, Fault>,
    ) -> Option<Done<T>> {
        // Whatever was asked before comes first: a release that was left to the thread, above all.
        if self.queued.load(Ordering::SeqCst) > 0 {
            return None;
        }
        let mut state = self.state.try_lock().ok()?;
        let State { keeper, file, wakes_at } = &mut *state;
        let file = file.as_mut()?;
        let value = keeper.at_once(file, act)?;
        let deadline = if file.is_to_be_folded() { Instant::now() } else { keeper.deadline() };
        let wake = deadline < *wakes_at;
        // It is told once.
        *wakes_at = deadline.min(*wakes_at);
        Some(Done { value, wake })
    }
}

impl State {
    /// For the thread, when it has nothing to do: until when.
    pub(super) fn rest(&mut self) -> Instant {
        self.wakes_at = self.keeper.deadline();
        self.wakes_at
    }

    /// Closes the file.
    pub(super) fn close(&mut self) {
        if let Some(file) = self.file.take() {
            self.keeper.reached = self.keeper.reached.max(file.clock.now());
        }
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use celeriac_sqlite::Turnstile;

    use super::*;
    use crate::{
        LockKey, Owner, SqliteStore,
        sqlite::file::FOLDED_AFTER,
        store::{Answer, Ask, LeaseId, LeaseStore, ProcessId, Queueing},
    };

    /// The tests' processes have no lease thread: they ask the store itself.
    struct Home {
        folder: tempfile::TempDir,
        store: SqliteStore,
        process: ProcessId,
    }

    impl Home {
        /// A store whose file is open.
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = SqliteStore::new(folder.path().join("locks.db"));
            let home = Self { folder, store, process: ProcessId::random() };
            home.store.list(1).await.unwrap();
            home
        }

        fn path(&self) -> DatabasePath {
            self.folder.path().join("locks.db").into()
        }

        fn ask(&self, number: u64) -> Ask {
            Ask {
                key: "mutex:m".parse::<LockKey>().unwrap(),
                lease: LeaseId::numbered(&self.process, number),
                process: self.process.clone(),
                leases: 1,
                weight: 1,
                ttl: Duration::from_secs(15),
                queueing: Queueing::No,
                place: None,
                fair: true,
                owner: Owner::worker("w"),
            }
        }

        fn at_once<T>(&self, act: impl FnOnce(&mut Transaction<'_, '_, '_>) -> Result<T, Fault>) -> Option<T> {
            self.store.link.at_once(act)
        }

        fn is_free(&self) -> bool {
            self.at_once(|_| Ok(())).is_some()
        }

        /// The thread has a hand in it for a moment after each answer.
        async fn until_free(&self) {
            let free = async {
                while !self.is_free() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::time::timeout(Duration::from_secs(10), free).await.unwrap();
        }
    }

    #[tokio::test]
    async fn nothing_goes_past_what_was_left_to_the_thread() {
        let home = Home::new().await;
        home.until_free().await;
        let queued = home.store.link.shared.queue();
        assert!(!home.is_free());
        drop(queued);
        home.until_free().await;
    }

    #[tokio::test]
    async fn nobody_is_waited_for() {
        let home = Home::new().await;
        home.until_free().await;
        let (turnstile, begun) = (Turnstile::open(&home.path()).unwrap(), Instant::now());
        let turn = turnstile.enter().unwrap();
        assert!(!home.is_free());
        drop(turn);
        home.until_free().await;
        let other = rusqlite::Connection::open(home.path().as_path()).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(!home.is_free());
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        other.execute_batch("COMMIT").unwrap();
        home.until_free().await;
    }

    #[tokio::test]
    async fn who_waits_for_its_turn_is_passed_by_for_a_moment_only() {
        let home = Home::new().await;
        home.until_free().await;
        // Where one stands who waits.
        let turn = std::fs::File::open(home.path().beside("-turn")).unwrap();
        turn.lock().unwrap();
        let mut passed = 0;
        while (0..20).any(|_| home.is_free()) {
            passed += 1;
            // Soon the thread would fold the log, and wait for its turn as well.
            assert!(passed < FOLDED_AFTER / 2, "passed {passed} times");
        }
        turn.unlock().unwrap();
        home.until_free().await;
    }

    #[tokio::test]
    async fn what_fails_has_not_happened() {
        let home = Home::new().await;
        home.until_free().await;
        let ask = home.ask(1);
        let failed = home.at_once(|transaction| {
            assert!(matches!(transaction.acquire(&ask)?, Ok(Answer::Granted(_))));
            Err::<(), _>(Fault::Refused("so".into()))
        });
        assert!(failed.is_none());
        assert!(matches!(home.store.acquire(&home.ask(2)).await.unwrap(), Answer::Granted(_)));
    }

    #[tokio::test]
    async fn the_log_is_folded_into_the_file_before_it_is_large() {
        let home = Home::new().await;
        for number in 0..6_000 {
            let ask = home.ask(number);
            assert!(matches!(home.store.acquire(&ask).await.unwrap(), Answer::Granted(_)));
            assert!(home.store.release(&ask.key, &ask.lease, &home.process).await.unwrap().found);
        }
        let log = std::fs::metadata(home.path().beside("-wal")).unwrap().len();
        assert!(log < 24 << 20, "{log} bytes after 12,000 transactions of a page or more");
    }
}
