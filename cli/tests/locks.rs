//! What operators do to locks that another process holds: each claim over a SQLite file and over Redis.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use std::{
    process::Output,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use celeriac_mutex::{LeaseLost, Locks, Owner};
use serde_json::{Value, json};
use support::{Folder, exit, stderr, stdout};

/// How long anything may take that takes a moment.
const BOUND: Duration = Duration::from_secs(20);

/// A lock store, a process that uses it (this one), and a folder for the program.
struct Place {
    folder: Folder,
    locks: Locks,
    /// The address, where it is not what the program takes by default.
    url: Option<String>,
    /// A name that no other test uses.
    name: String,
}

impl Place {
    fn sqlite() -> Self {
        let folder = Folder::new();
        let url = format!("sqlite://{}/celeriac.db", folder.path().display());
        Self::at(folder, &url, None)
    }

    /// Absent is a failure, never a skipped test: what did not run must not look as if it had passed.
    fn redis() -> Self {
        let url = std::env::var("CELERIAC_TEST_REDIS_URL").unwrap_or_else(|_| {
            panic!(
                "this test needs a Redis server: run it with `cargo xtask test`, or name one in CELERIAC_TEST_REDIS_URL"
            )
        });
        Self::at(Folder::new(), &url, Some(url.clone()))
    }

    fn at(folder: Folder, locks: &str, url: Option<String>) -> Self {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let locks = Locks::builder().url(locks).worker("holder:1").build().unwrap();
        Self { folder, locks, url, name: format!("cli.{}.{nanos}", std::process::id()) }
    }

    fn address(&self, rest: &str) -> String {
        rest.replace('@', &self.name)
    }

    /// `celeriac ..`; `@` stands for the name.
    fn run(&self, arguments: &str) -> Output {
        let arguments: Vec<_> = arguments.split(' ').map(|word| self.address(word)).collect();
        let mut command = self.folder.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        if let Some(url) = &self.url {
            command.env("CELERIAC_LOCKS_URL", url);
        }
        command.output().unwrap()
    }

    fn json(&self, arguments: &str) -> Value {
        let output = self.run(&format!("{arguments} --json"));
        assert!(output.status.success(), "{arguments}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

macro_rules! over_each_store {
    ($($claim:ident)*) => {
        over_each_store!(@ sqlite $($claim)*);
        over_each_store!(@ redis $($claim)*);
    };
    (@ $store:ident $($claim:ident)*) => {
        mod $store {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                let place = super::Place::$store();
                super::$claim(&place).await;
                place.locks.close().await;
            })*
        }
    };
}

over_each_store! {
    a_lock_of_another_process_is_listed_and_shown
    a_lock_is_taken_from_its_holder_with_a_reason_that_is_logged
    nothing_is_taken_without_a_reason_or_consent
    a_holder_that_is_asked_lets_go
    a_holder_that_keeps_on_is_told_of_and_fails_the_command
    a_semaphore_is_resized_for_the_processes_that_use_it
    every_key_of_a_name_is_resized
    a_lock_that_nobody_knows_is_a_failure_with_what_was_meant
    doctor_looks_at_the_lock_store
    a_check_tells_who_holds_and_who_waits_too_long
    elections_are_shown_to_whoever_asks_for_them
}

async fn a_lock_of_another_process_is_listed_and_shown(place: &Place) {
    let owner = Owner::worker("holder:1").task("billing.charge", "4f");
    let mutex = place.locks.mutex(&place.name).key(42);
    let held = mutex.clone().owner(owner).lock().await.unwrap();
    mutex.take_or_park(None).await.unwrap();
    let address = place.address("mutex:@:42");
    let listed = place.json("lock list --name @");
    let lock = &listed["locks"][0];
    assert_eq!((&lock["address"], &lock["held"], &lock["waiting"]), (&json!(address), &json!(1), &json!(1)));
    assert_eq!(lock["holders"][0]["task"], "billing.charge");
    let table = stdout(&place.run("lock list --name @ --held --waiting"));
    let row: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().take(6).collect();
    assert_eq!(row, [&*address, "1/1", "1", "billing.charge", "4f", "holder:1"]);
    for words in ["mutex:@:42", "@ 42"] {
        let shown = place.json(&format!("lock show {words}"));
        assert_eq!(shown["holders"][0]["fence"], held.fencing_token().get());
        assert_eq!(shown["holders"][0]["lease"], held.id().as_str());
        assert_eq!(shown["waiters"][0]["position"], 1);
        assert!(shown["waiters"][0]["parked_until"].is_string());
    }
    assert!(stdout(&place.run("lock show mutex:@:42")).starts_with(&format!("{address}\nheld: 1 of 1 leases\n")));
}

async fn a_lock_is_taken_from_its_holder_with_a_reason_that_is_logged(place: &Place) {
    let mutex = place.locks.mutex(&place.name);
    let held = mutex.lock().await.unwrap();
    let output = place.run("lock release mutex:@ --yes --reason hung-since-noon");
    assert_eq!(exit(&output), 0, "{}", stderr(&output));
    assert!(stdout(&output).contains(&format!("its fencing token {} is dead", held.fencing_token())));
    assert!(stdout(&output).contains("may still be running"), "{}", stdout(&output));
    let logged = stderr(&output);
    assert!(logged.contains("WARN") && logged.contains("hung-since-noon") && logged.contains("by="), "{logged}");
    tokio::time::timeout(BOUND, held.lost().cancelled()).await.unwrap();
    assert_eq!(held.lost_reason(), Some(LeaseLost::Taken));
    let next = mutex.lock_timeout(BOUND).await.unwrap().unwrap();
    assert!(next.fencing_token() > held.fencing_token());
}

async fn nothing_is_taken_without_a_reason_or_consent(place: &Place) {
    let held = place.locks.mutex(&place.name).lock().await.unwrap();
    for (arguments, expected) in [
        ("lock release mutex:@ --reason stuck", "--yes"),
        ("lock release mutex:@ --yes", "--reason"),
        ("lock release mutex:@ --yes --reason=", "say why"),
    ] {
        let output = place.run(arguments);
        assert_eq!(exit(&output), 2, "{arguments}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
    assert_eq!(place.json("lock show mutex:@")["holders"][0]["lease"], held.id().as_str());
}

async fn a_holder_that_is_asked_lets_go(place: &Place) {
    let held = place.locks.mutex(&place.name).lock().await.unwrap();
    let holder = tokio::spawn(async move {
        held.lost().cancelled().await;
        let reason = held.lost_reason();
        held.release().await.unwrap();
        reason
    });
    let revoked = place.json("lock revoke mutex:@");
    assert_eq!(revoked["asked"][0]["let_go"], true);
    assert_eq!(tokio::time::timeout(BOUND, holder).await.unwrap().unwrap(), Some(LeaseLost::Revoked));
}

async fn a_holder_that_keeps_on_is_told_of_and_fails_the_command(place: &Place) {
    let held = place.locks.mutex(&place.name).lock().await.unwrap();
    let output = place.run("lock revoke mutex:@ --wait 1s");
    assert_eq!(exit(&output), 1);
    assert!(stdout(&output).contains("still holds it"), "{}", stdout(&output));
    assert!(stderr(&output).contains("lock release"), "{}", stderr(&output));
    tokio::time::timeout(BOUND, held.lost().cancelled()).await.unwrap();
    assert_eq!(place.json("lock show mutex:@")["holders"][0]["revoked"], true);
    assert_eq!(exit(&place.run("lock revoke mutex:@ --wait 0s")), 0);
}

async fn a_semaphore_is_resized_for_the_processes_that_use_it(place: &Place) {
    let dms = place.locks.semaphore(&place.name, 1).key("eu");
    let one = dms.acquire().await.unwrap();
    assert!(dms.try_acquire().await.unwrap().is_none());
    let resized = place.json("semaphore resize @ eu --leases 2");
    let address = place.address("semaphore:@:eu");
    let expected = json!({"address": address, "before": 1, "held": 1, "above": 0, "too_heavy": 0});
    assert_eq!(resized["resized"][0], expected);
    let two = dms.try_acquire().await.unwrap().unwrap();
    let told = stdout(&place.run("semaphore resize semaphore:@:eu --leases 1"));
    assert!(told.contains("1 lease, 2 before; 2 held: 1 above"), "{told}");
    assert!(one.ensure_valid().is_ok() && two.ensure_valid().is_ok());
    let table = stdout(&place.run("semaphore list --name @"));
    let row: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().take(4).collect();
    assert_eq!(row, [&*address, "1", "operator", "2"]);
    two.release().await.unwrap();
    assert!(dms.try_acquire().await.unwrap().is_none());
    place.json("semaphore resize @ eu --default");
    one.release().await.unwrap();
    dms.try_acquire().await.unwrap().unwrap().release().await.unwrap();
    assert_eq!(place.json("semaphore show @ eu")["resized"], false);
}

async fn every_key_of_a_name_is_resized(place: &Place) {
    let (eu, us) = (place.locks.semaphore(&place.name, 1).key("eu"), place.locks.semaphore(&place.name, 1).key("us"));
    let _held = (eu.acquire().await.unwrap(), us.acquire().await.unwrap());
    let resized = place.json("semaphore resize @ --all --leases 2");
    assert_eq!(resized["resized"].as_array().unwrap().len(), 2);
    assert!(eu.try_acquire().await.unwrap().is_some() && us.try_acquire().await.unwrap().is_some());
}

async fn a_lock_that_nobody_knows_is_a_failure_with_what_was_meant(place: &Place) {
    let _held = place.locks.mutex(&place.name).key("invoice").lock().await.unwrap();
    for arguments in [
        "lock show mutex:@:invioce",
        "lock revoke mutex:@:invioce",
        "lock release mutex:@:invioce --yes --reason typo",
        "semaphore show @ invoice",
        "semaphore resize @ invoice --leases 3",
    ] {
        let output = place.run(arguments);
        assert_eq!(exit(&output), 1, "{arguments}");
        let told = stderr(&output);
        assert!(told.contains(&place.address("did you mean mutex:@:invoice?")) && told.lines().count() == 1, "{told}");
    }
}

async fn doctor_looks_at_the_lock_store(place: &Place) {
    drop(place.locks.mutex(&place.name).lock().await.unwrap());
    let output = place.run("doctor --json");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = document["findings"].as_array().unwrap();
    let subjects: Vec<_> = findings.iter().filter_map(|finding| finding["subject"].as_str()).collect();
    assert!(subjects.iter().any(|subject| subject.starts_with("locks: ")), "{subjects:?}");
    assert!(document["locks"].is_string());
}

async fn a_check_tells_who_holds_and_who_waits_too_long(place: &Place) {
    let check = |arguments: &str, state: i32, begins: &str| {
        let output = place.run(&format!("check locks --name @{arguments}"));
        let told = stdout(&output);
        assert_eq!(exit(&output), state, "{told}{}", stderr(&output));
        assert!(told.starts_with(begins) && told.lines().count() == 1, "{told}");
        told
    };
    place.locks.mutex(&place.name).lock().await.unwrap().release().await.unwrap();
    let none = check(" --crit-held 0s --crit-wait 0s --crit-waiting 0", 0, "LOCKS OK - ");
    assert!(none.contains("no lock is held; nobody waits"), "{none}");
    let mutex = place.locks.mutex(&place.name).key(42);
    let owner = Owner::worker("holder:1").task("billing.charge", "4f");
    let _held = mutex.clone().owner(owner).lock().await.unwrap();
    mutex.take_or_park(None).await.unwrap();
    mutex.take_or_park(None).await.unwrap();
    check(" --crit-held 1h --crit-wait 1h --crit-waiting 2", 0, "LOCKS OK - ");
    let held = check(" --warn-held 0s --crit-held 1h", 1, "LOCKS WARNING - ");
    assert!(held.contains(&place.address("billing.charge 4f on holder:1 holds mutex:@:42 for ")), "{held}");
    assert!(held.contains("'oldest_hold'=") && held.contains("s;0;3600;0; "), "{held}");
    let wait = check(" --crit-wait 0s", 2, "LOCKS CRITICAL - ");
    assert!(wait.contains(&place.address("holder:1 waits for mutex:@:42 for ")), "{wait}");
    let waiting = check(" --warn-waiting 1", 1, "LOCKS WARNING - ");
    assert!(waiting.contains(&place.address("2 wait for mutex:@:42 (over 1); ")), "{waiting}");
    assert!(waiting.contains("'most_waiting'=2;1;;0; 'held'=1;;;0;"), "{waiting}");
}

async fn elections_are_shown_to_whoever_asks_for_them(place: &Place) {
    let name = place.address("celeriac.@");
    let _held = place.locks.mutex(&name).lock().await.unwrap();
    let addresses = |listed: &Value| listed["locks"].to_string();
    assert!(!addresses(&place.json("lock list --limit 10000")).contains(&name));
    assert!(addresses(&place.json("lock list --name celeriac.@")).contains(&name));
    let all = stdout(&place.run("check locks --crit-held 0s"));
    assert!(!all.contains(&name), "{all}");
    let named = place.run("check locks --name celeriac.@ --crit-held 0s");
    assert!(exit(&named) == 2 && stdout(&named).contains(&name), "{}", stdout(&named));
}

#[test]
fn a_broker_that_is_no_file_keeps_no_locks_and_the_setting_that_names_a_store_is_told() {
    let folder = Folder::new();
    for command in [&["lock", "list"][..], &["semaphore", "list"]] {
        let output = folder.run(&[&["--broker", "amqp://127.0.0.1:1"], command].concat());
        assert_eq!(exit(&output), 2);
        assert!(stderr(&output).contains("CELERIAC_LOCKS_URL"), "{}", stderr(&output));
    }
}

#[test]
fn a_lock_store_that_is_not_there_is_a_failure_that_shows_no_password() {
    let folder = Folder::new();
    let output = folder.run(&["--locks-url", "redis://:hunter2@127.0.0.1:1", "lock", "list"]);
    let told = stderr(&output);
    assert_eq!(exit(&output), 1, "{told}");
    assert!(told.contains("127.0.0.1:1") && !told.contains("hunter2") && told.lines().count() == 1, "{told}");
    let output = folder.run(&["--locks-url", "redis://:hunter2@127.0.0.1:1", "doctor", "--json"]);
    let told = stdout(&output);
    assert_eq!(exit(&output), 3, "{told}");
    assert!(told.contains("redis://:***@127.0.0.1:1") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_semaphore_s_new_size_has_to_be_said_once() {
    let folder = Folder::new();
    for arguments in [&[][..], &["--leases", "2", "--default"], &["--leases", "0"], &["--all", "--create", "--default"]]
    {
        let output = folder.run(&[&["semaphore", "resize", "dms"], arguments].concat());
        assert_eq!(exit(&output), 2, "{arguments:?}");
    }
}
