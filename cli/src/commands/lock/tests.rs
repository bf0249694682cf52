//! Over a store in memory, which the holders and the operator share.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use celeriac_mutex::{FencingToken, Kind, LockKey, Locks, MemoryStore, Owner, store::LeaseStore};

use super::{
    holders::Which,
    list::List,
    release::Release,
    revoke::{self, Revoke},
    target::{LOCKS, SEMAPHORES, Target, near},
    view,
};
use crate::{Error, config::LockStore};

/// A store, a worker's handle and an operator's.
struct Case {
    store: MemoryStore,
    worker: Locks,
    operator: LockStore,
}

impl Case {
    fn new() -> Self {
        let store = MemoryStore::new();
        let locks = |name: &str| Locks::builder().store(Arc::new(store.clone())).worker(name).build().unwrap();
        let operator = LockStore { locks: locks("operator"), address: "memory://".into() };
        Self { worker: locks("host:1"), operator, store }
    }

    async fn held(&self, name: &str) -> u32 {
        let state = self.store.inspect(&LockKey::new(Kind::Mutex, name)).await.unwrap();
        state.map_or(0, |state| state.used)
    }
}

fn run_of(task: &str) -> Owner {
    Owner::worker("host:1").task(task, "4f")
}

fn target(words: &str) -> Target {
    let mut words = words.split(' ').map(str::to_owned);
    Target { name: words.next().unwrap(), key: words.collect() }
}

fn list() -> List {
    List { name: None, held: false, waiting: false, limit: 100 }
}

fn release(words: &str, which: Which) -> Release {
    Release { target: target(words), which, reason: "stuck".into(), yes: true }
}

fn usage<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    match result.unwrap_err() {
        Error::Usage(fault) => fault,
        other => panic!("{other:?} is no wrong use"),
    }
}

#[tokio::test]
async fn a_list_tells_of_each_lock_who_holds_it_and_how_many_wait() {
    let case = Case::new();
    let _invoice = case.worker.mutex("invoice").key(42).owner(run_of("billing.charge")).lock().await.unwrap();
    let dms = case.worker.semaphore("dms", 1).key("eu");
    let _permit = dms.acquire().await.unwrap();
    dms.take_or_park(None).await.unwrap();
    let listed = list().gather(&LOCKS, &case.operator).await.unwrap();
    let now = SystemTime::now() + Duration::from_secs(70);
    let table = listed.locks_table(now);
    let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1][..7], ["mutex:invoice:42", "1/1", "0", "billing.charge", "4f", "host:1", "1m10s"]);
    assert_eq!(rows[2][..6], ["semaphore:dms:eu", "1/1", "1", "-", "-", "host:1"]);
    let document = listed.document();
    assert_eq!(document["locks"][0]["holders"][0]["task"], "billing.charge");
    assert_eq!(document["locks"][1]["waiting"], 1);
    assert_eq!((&document["more"], &document["complete"]), (&0.into(), &true.into()));
}

#[tokio::test]
async fn a_list_is_narrowed_by_name_and_by_what_is_held_or_waited_for() {
    let case = Case::new();
    let (a, b) = (case.worker.mutex("a"), case.worker.mutex("b").key(1));
    let _held = (a.lock().await.unwrap(), b.lock().await.unwrap());
    b.take_or_park(None).await.unwrap();
    case.worker.semaphore("c", 3).resize(Some(2)).await.unwrap();
    let addresses = async |list: List| {
        let listed = list.gather(&LOCKS, &case.operator).await.unwrap();
        let addresses: Vec<_> = listed.locks.iter().map(|lock| lock.key.to_string()).collect();
        (addresses.join(" "), listed.more)
    };
    assert_eq!(addresses(list()).await, ("mutex:a mutex:b:1 semaphore:c".into(), 0));
    assert_eq!(addresses(List { name: Some("b".into()), ..list() }).await, ("mutex:b:1".into(), 0));
    assert_eq!(addresses(List { held: true, ..list() }).await, ("mutex:a mutex:b:1".into(), 0));
    assert_eq!(addresses(List { waiting: true, ..list() }).await, ("mutex:b:1".into(), 0));
    assert_eq!(addresses(List { limit: 1, ..list() }).await, ("mutex:a".into(), 2));
    let semaphores = list().gather(&SEMAPHORES, &case.operator).await.unwrap();
    assert!(semaphores.semaphores_table().contains("semaphore:c"));
    assert_eq!(semaphores.locks.len(), 1);
}

#[tokio::test]
async fn a_lock_is_shown_with_its_holders_and_those_who_wait_in_order() {
    let case = Case::new();
    let dms = case.worker.semaphore("dms", 3).key("eu");
    let _held = dms.clone().weight(2).owner(run_of("import")).acquire().await.unwrap();
    dms.clone().weight(2).owner(run_of("first")).take_or_park(None).await.unwrap();
    dms.clone().weight(3).owner(run_of("second")).take_or_park(None).await.unwrap();
    let state = target("semaphore:dms:eu").find(&LOCKS, &case.operator).await.unwrap();
    let document = view::document(&state);
    let holder = &document["holders"][0];
    assert_eq!((&holder["task"], &holder["weight"], &holder["revoked"]), (&"import".into(), &2.into(), &false.into()));
    assert!(holder["ttl_left_seconds"].as_f64().unwrap() > 14.0);
    assert_eq!(holder["fence"], document["fence"]);
    let waiters = document["waiters"].as_array().unwrap();
    let told: Vec<_> = waiters.iter().map(|waiter| (waiter["position"].as_u64(), waiter["task"].as_str())).collect();
    assert_eq!(told, [(Some(1), Some("first")), (Some(2), Some("second"))]);
    assert!(waiters[0]["parked_until"].is_string());
    let shown = view::people(&state, SystemTime::now());
    assert!(shown.starts_with("semaphore:dms:eu\nheld: 2 of 3 leases\n"), "{shown}");
    assert!(shown.find("import") < shown.find("first") && shown.find("first") < shown.find("second"), "{shown}");
}

#[tokio::test]
async fn what_is_not_known_is_shown_as_such_and_never_as_0() {
    let case = Case::new();
    let _held = case.worker.mutex("m").lock().await.unwrap();
    let mut state = target("m").find(&LOCKS, &case.operator).await.unwrap();
    state.leases = 0;
    state.holders[0].ttl_left = None;
    let document = view::document(&state);
    assert!(document["leases"].is_null() && document["mean_hold_seconds"].is_null());
    assert!(document["holders"][0]["ttl_left_seconds"].is_null());
    let shown = view::people(&state, SystemTime::now());
    assert!(
        shown.contains("held: 1 of - leases") && shown.contains("mean hold: -") && shown.contains("process"),
        "{shown}"
    );
}

#[tokio::test]
async fn names_of_others_do_not_steer_the_terminal() {
    let case = Case::new();
    let owner = Owner::worker("host\x1b[31m:1").task("a\nb", "4f");
    let _held = case.worker.mutex("m").owner(owner).lock().await.unwrap();
    let state = target("m").find(&LOCKS, &case.operator).await.unwrap();
    let released = release("m", Which::default()).perform(&case.operator).await.unwrap();
    for shown in [view::people(&state, SystemTime::now()), released.people()] {
        assert!(!shown.contains('\x1b') && !shown.contains("a\nb"), "{shown}");
    }
}

#[test]
fn a_lock_is_named_by_its_address_or_by_its_name_and_its_key() {
    let named = |words: &str, kinds: &[Kind]| {
        let keys = target(words).candidates(kinds).unwrap();
        keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(named("semaphore:dms:eu", &LOCKS), "semaphore:dms:eu");
    assert_eq!(named("dms eu", &SEMAPHORES), "semaphore:dms:eu");
    assert_eq!(named("dms:eu", &SEMAPHORES), "semaphore:dms:eu");
    assert_eq!(named("dms eu", &LOCKS), "mutex:dms:eu semaphore:dms:eu");
    assert_eq!(named("dms a:b", &SEMAPHORES), "semaphore:dms:a%3Ab");
    assert!(usage(target("mutex:invoice:42").candidates(&SEMAPHORES)).contains("is a mutex"));
    assert!(usage(target("rate:dms").candidates(&LOCKS)).contains("is a rate limit"));
    assert!(usage(target("mutex:a%zz").candidates(&LOCKS)).contains("no lock's address"));
}

#[tokio::test]
async fn a_lock_that_nobody_knows_is_a_failure_that_says_what_was_probably_meant() {
    let case = Case::new();
    let _held = case.worker.mutex("invoice").key(42).lock().await.unwrap();
    let told = async |words: &str| target(words).find(&LOCKS, &case.operator).await.unwrap_err();
    let fault = told("mutex:invioce:42").await;
    assert!(matches!(fault, Error::Failed(_)));
    assert_eq!(fault.line(), "there is no lock mutex:invioce:42 at memory://; did you mean mutex:invoice:42?");
    assert!(told("semaphore:invoice:42").await.line().contains("did you mean mutex:invoice:42?"));
    let fault = told("orders 7").await.line();
    assert_eq!(
        fault,
        "there is no lock orders:7 at memory://; `celeriac lock list` shows those that are held or waited for"
    );
}

#[test]
fn at_most_three_names_are_suggested_and_the_nearest_first() {
    let key = |name: &str| LockKey::new(Kind::Mutex, name);
    let known: Vec<_> = ["invoice:11", "invoice:12", "invoice:13", "invoice:2", "orders:1"].map(key).to_vec();
    let near = near(&[key("invoice:1")], known.iter());
    assert_eq!(near.len(), 3);
    assert!(near.iter().all(|name| name.starts_with("mutex:invoice")), "{near:?}");
}

#[tokio::test]
async fn a_name_that_two_locks_have_means_the_one_in_use_and_else_has_to_be_said() {
    let case = Case::new();
    let (mutex, semaphore) = (case.worker.mutex("m"), case.worker.semaphore("m", 2));
    let held = mutex.lock().await.unwrap();
    semaphore.acquire().await.unwrap().release().await.unwrap();
    assert_eq!(target("m").find(&LOCKS, &case.operator).await.unwrap().key, *mutex.lock_key());
    let _permit = semaphore.acquire().await.unwrap();
    let fault = usage(target("m").find(&LOCKS, &case.operator).await);
    assert!(fault.ends_with("mutex:m or semaphore:m"), "{fault}");
    held.release().await.unwrap();
    assert_eq!(target("m").find(&LOCKS, &case.operator).await.unwrap().key, *semaphore.lock_key());
}

#[tokio::test]
async fn a_released_lock_goes_to_the_next_with_a_higher_token_and_its_holder_learns_of_it() {
    let case = Case::new();
    let mutex = case.worker.mutex("m").owner(run_of("billing.charge"));
    let old = mutex.lock().await.unwrap();
    let done = release("m", Which::default()).perform(&case.operator).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), old.lost().cancelled()).await.unwrap();
    let document = done.document();
    assert_eq!(document["released"][0]["fence"], old.fencing_token().get());
    assert_eq!(document["reason"], "stuck");
    assert!(document["by"].as_str().unwrap().contains('@'));
    let shown = done.people();
    assert!(
        shown.contains("released mutex:m from billing.charge 4f on host:1") && shown.contains("is dead"),
        "{shown}"
    );
    assert!(shown.contains("may still be running") && shown.contains(": stuck\n"), "{shown}");
    let new = mutex.try_lock().await.unwrap().unwrap();
    assert!(new.fencing_token() > old.fencing_token());
}

#[tokio::test]
async fn where_several_hold_a_lock_it_has_to_be_said_whose_is_taken() {
    let case = Case::new();
    let dms = case.worker.semaphore("dms", 3);
    let permits = [dms.acquire().await.unwrap(), dms.acquire().await.unwrap(), dms.acquire().await.unwrap()];
    let released = async |which: Which| {
        let done = release("semaphore:dms", which).perform(&case.operator).await?;
        Ok::<_, Error>(done.released.iter().map(|holder| holder.lease.to_string()).collect::<Vec<_>>())
    };
    let lease = |at: usize| permits[at].id().to_string();
    assert!(usage(released(Which::default()).await).contains("3 holders"));
    let unknown = released(Which { leases: vec!["x.1".into()], all: false }).await.unwrap_err();
    assert!(matches!(&unknown, Error::Failed(fault) if fault.contains(&lease(2))), "{unknown}");
    assert_eq!(released(Which { leases: vec![lease(1)], all: false }).await.unwrap(), [lease(1)]);
    assert_eq!(released(Which { leases: Vec::new(), all: true }).await.unwrap(), [lease(0), lease(2)]);
    assert!(matches!(released(Which::default()).await, Err(Error::Failed(_))));
}

#[tokio::test]
async fn nothing_is_released_where_nobody_can_be_asked() {
    let case = Case::new();
    let _held = case.worker.mutex("m").lock().await.unwrap();
    let asked = Release { yes: false, ..release("m", Which::default()) };
    assert!(usage(asked.perform(&case.operator).await).contains("--yes"));
    assert_eq!(case.held("m").await, 1);
}

fn revocation(words: &str, wait: Duration) -> Revoke {
    Revoke { target: target(words), which: Which::default(), wait }
}

#[tokio::test]
async fn a_holder_that_is_asked_lets_go_and_is_said_to_have() {
    let case = Case::new();
    let held = case.worker.mutex("m").owner(run_of("t")).lock().await.unwrap();
    let holder = tokio::spawn(async move {
        let stopped = held.run(std::future::pending::<()>()).await;
        held.release().await.unwrap();
        stopped.unwrap_err().to_string()
    });
    let (key, asked) = revocation("m", Duration::from_secs(10)).perform(&case.operator).await.unwrap();
    assert!(asked[0].let_go.unwrap() < Duration::from_secs(10));
    assert!(holder.await.unwrap().contains("an operator revoked it"));
    assert!(revoke::people(&key, &asked, true).contains("let go of mutex:m within"));
    assert_eq!(revoke::document(&key, &asked, true)["asked"][0]["let_go"], true);
}

#[tokio::test]
async fn a_holder_that_does_not_let_go_is_said_to_hold_on() {
    let case = Case::new();
    let held = case.worker.mutex("m").lock().await.unwrap();
    let (key, asked) = revocation("m", Duration::from_millis(300)).perform(&case.operator).await.unwrap();
    assert_eq!(asked[0].let_go, None);
    assert!(held.lost().is_cancelled());
    assert!(revoke::people(&key, &asked, true).contains("still holds it"));
    assert_eq!(revoke::document(&key, &asked, true)["asked"][0]["let_go"], false);
    assert_eq!(case.held("m").await, 1);
    let quiet = crate::output::Output::new(true);
    let run = revoke::run(&revocation("m", Duration::from_millis(300)), quiet, &case.operator).await;
    assert!(matches!(run, Err(Error::Failed(fault)) if fault.contains("lock release")));
}

#[tokio::test]
async fn nobody_looks_whether_a_holder_let_go_where_nobody_waits_for_it() {
    let case = Case::new();
    let _held = case.worker.mutex("m").lock().await.unwrap();
    let (key, asked) = revocation("m", Duration::ZERO).perform(&case.operator).await.unwrap();
    assert!(revoke::document(&key, &asked, false)["asked"][0]["let_go"].is_null());
    assert!(revoke::people(&key, &asked, false).ends_with("was asked to let go of mutex:m\n"));
}

#[test]
fn those_who_wait_are_shown_until_they_are_too_many_with_when_they_are_back() {
    let key = LockKey::new(Kind::Mutex, "m");
    let waiter = celeriac_mutex::store::Waiter {
        lease: "p.1".into(),
        owner: Owner::worker("host:1"),
        weight: 1,
        since: UNIX_EPOCH,
        due: Some(UNIX_EPOCH + Duration::from_secs(30)),
    };
    let state = celeriac_mutex::store::LockState {
        key,
        leases: 1,
        resized: false,
        used: 0,
        fence: FencingToken::new(1),
        mean_hold: Some(Duration::from_millis(1234)),
        holders: Vec::new(),
        waiters: vec![waiter],
    };
    let many = celeriac_mutex::store::LockState { waiters: vec![state.waiters[0].clone(); 1103], ..state.clone() };
    let shown = view::people(&many, UNIX_EPOCH);
    assert!(shown.ends_with("and 1,003 more; --json shows them all\n") && shown.lines().count() < 110, "{shown}");
    let at = |seconds| view::people(&state, UNIX_EPOCH + Duration::from_secs(seconds));
    assert!(at(10).trim_end().ends_with("20.0s") && at(10).contains("mean hold: 1.2s"), "{}", at(10));
    assert!(at(31).trim_end().ends_with("now"), "{}", at(31));
}
