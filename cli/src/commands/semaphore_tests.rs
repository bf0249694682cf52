use std::sync::Arc;

use celeriac_mutex::{Locks, MemoryStore};

use super::*;

fn store() -> LockStore {
    let locks = Locks::builder().store(Arc::new(MemoryStore::new())).build().unwrap();
    LockStore { locks, address: "memory://".into() }
}

fn resize(words: &str, leases: Option<u32>) -> Resize {
    let mut words = words.split(' ').map(str::to_owned);
    let target = Target { name: words.next().unwrap(), key: words.collect() };
    Resize { target, leases, default: leases.is_none(), all: false, create: false }
}

#[tokio::test]
async fn a_semaphore_that_shrinks_below_what_is_held_is_said_to_and_takes_nothing_back() {
    let store = store();
    let dms = store.locks.semaphore("dms", 3).key("eu");
    let permits = [dms.acquire().await.unwrap(), dms.acquire().await.unwrap(), dms.acquire().await.unwrap()];
    dms.clone().weight(3).take_or_park(None).await.unwrap();
    let resized = resize("dms eu", Some(2)).perform(&store).await.unwrap();
    assert_eq!(
        resized[0].document(),
        json!({"address": "semaphore:dms:eu", "before": 3, "held": 3, "above": 1, "too_heavy": 1})
    );
    assert_eq!(
        resized[0].people(Some(2)),
        "semaphore:dms:eu has 2 leases, 3 before; 3 held: 1 above that, not given out again when released; 1 waits for \
         more than that, and those behind it wait too\n"
    );
    assert!(permits.iter().all(|permit| permit.ensure_valid().is_ok()));
    let state = look(&resized[0].key, &store).await.unwrap().unwrap();
    assert!(state.resized && state.leases == 2 && state.used == 3);
}

#[tokio::test]
async fn every_key_of_a_name_is_resized_and_no_other() {
    let store = store();
    let key = |name: &str, key: &str| store.locks.semaphore(name, 3).key(key);
    let _held = (
        key("dms", "eu").acquire().await.unwrap(),
        key("dms", "us").acquire().await.unwrap(),
        key("other", "eu").acquire().await.unwrap(),
    );
    let all = Resize { all: true, ..resize("dms", Some(5)) };
    let resized = all.perform(&store).await.unwrap();
    let addresses: Vec<_> = resized.iter().map(|resized| resized.key.to_string()).collect();
    assert_eq!(addresses, ["semaphore:dms:eu", "semaphore:dms:us"]);
    assert_eq!(look(&"semaphore:other:eu".parse().unwrap(), &store).await.unwrap().unwrap().leases, 3);
    let none = Resize { all: true, ..resize("nothing", Some(5)) };
    assert!(matches!(none.perform(&store).await, Err(Error::Failed(_))));
    let one = Resize { all: true, ..resize("semaphore:dms:eu", Some(5)) };
    assert!(matches!(one.perform(&store).await, Err(Error::Usage(_))));
}

#[tokio::test]
async fn a_semaphore_goes_back_to_what_the_program_says() {
    let store = store();
    let dms = store.locks.semaphore("dms", 3);
    dms.acquire().await.unwrap().release().await.unwrap();
    resize("dms", Some(1)).perform(&store).await.unwrap();
    let resized = resize("dms", None).perform(&store).await.unwrap();
    assert_eq!(resized[0].people(None), "semaphore:dms has what the next one to use it says, 1 before; 0 held\n");
    let _held = [dms.acquire().await.unwrap(), dms.acquire().await.unwrap(), dms.acquire().await.unwrap()];
}

#[tokio::test]
async fn a_semaphore_that_nobody_has_used_is_resized_only_where_that_is_meant() {
    let store = store();
    let fault = resize("dms eu", Some(2)).perform(&store).await.unwrap_err();
    assert!(matches!(fault, Error::Failed(_)));
    let created = Resize { create: true, ..resize("dms eu", Some(2)) };
    created.perform(&store).await.unwrap();
    let _held = store.locks.semaphore("dms", 3).key("eu").weight(2).acquire().await.unwrap();
    assert!(store.locks.semaphore("dms", 3).key("eu").try_acquire().await.unwrap().is_none());
}
