//! Something made when first needed, made again when it has died, and made once however many wait for it.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use tokio::{sync::OnceCell, time::Instant};

use super::errors::Fault;

/// What can die.
pub(super) trait Mortal {
    fn is_alive(&self) -> bool;
}

#[derive(Debug)]
pub(super) struct Slot<T> {
    cell: RwLock<Arc<OnceCell<Arc<T>>>>,
    /// The last failure and when it came: those who were already waiting then share it, instead of trying one after another.
    failed: Mutex<Option<(Instant, Fault)>>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { cell: RwLock::default(), failed: Mutex::default() }
    }
}

impl<T: Mortal> Slot<T> {
    /// The living thing, if there is one.
    pub(super) fn peek(&self) -> Option<Arc<T>> {
        let cell = self.cell.read().unwrap_or_else(PoisonError::into_inner);
        cell.get().filter(|thing| thing.is_alive()).cloned()
    }

    /// The living thing, made by `make` where there is none.
    pub(super) async fn get<F: Future<Output = Result<T, Fault>>>(
        &self,
        make: impl FnOnce() -> F,
    ) -> Result<Arc<T>, Fault> {
        if let Some(thing) = self.peek() {
            return Ok(thing);
        }
        let asked = Instant::now();
        self.cell()
            .get_or_try_init(|| async {
                let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some((at, fault)) = failed
                    && at >= asked
                {
                    return Err(fault);
                }
                let result = make().await;
                if let Err(fault) = &result {
                    *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), fault.clone()));
                }
                result.map(Arc::new)
            })
            .await
            .cloned()
    }

    /// The cell to fill or wait for; a new one where the old one's content has died.
    fn cell(&self) -> Arc<OnceCell<Arc<T>>> {
        let mut cell = self.cell.write().unwrap_or_else(PoisonError::into_inner);
        if cell.get().is_some_and(|thing| !thing.is_alive()) {
            *cell = Arc::default();
        }
        cell.clone()
    }

    /// Forgets the thing, which dies when nobody else holds it.
    pub(super) fn clear(&self) {
        *self.cell.write().unwrap_or_else(PoisonError::into_inner) = Arc::default();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    struct Thing(u32);

    impl Mortal for Thing {
        fn is_alive(&self) -> bool {
            self.0 > 1
        }
    }

    #[tokio::test]
    async fn it_is_made_once_for_all_who_wait_and_again_after_its_death() {
        let (slot, made) = (Slot::default(), AtomicU32::new(0));
        let get = || {
            slot.get(|| async {
                tokio::task::yield_now().await;
                Ok(Thing(1 + made.fetch_add(1, Ordering::Relaxed)))
            })
        };
        // The first thing is dead on arrival, so the next callers have another one made: one for all of them.
        get().await.unwrap();
        let all = futures_util::future::join_all((0..10).map(|_| get())).await;
        assert!(all.into_iter().all(|thing| thing.unwrap().0 == 2));
        assert_eq!(made.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn those_who_wait_share_one_failure() {
        let (slot, tries) = (Slot::<Thing>::default(), AtomicU32::new(0));
        let get = || {
            slot.get(|| async {
                tries.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Err(Fault::timed_out("it"))
            })
        };
        let all = futures_util::future::join_all((0..10).map(|_| get())).await;
        assert!(all.iter().all(Result::is_err));
        assert_eq!(tries.load(Ordering::Relaxed), 1);
        assert!(get().await.is_err());
        assert_eq!(tries.load(Ordering::Relaxed), 2);
    }
}
