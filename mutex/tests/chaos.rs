//! Leases of real processes that are killed, stopped and cut off; longer by `cargo xtask chaos locks --minutes N --seed S`.

use std::{path::PathBuf, time::Duration};

use xtask::chaos::{self, Memory, Options, Report, Store};

/// Cargo builds examples beside the tests.
fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let program = own.parent().unwrap().with_file_name("examples").join("chaos_worker");
    assert!(program.exists(), "{} is built by `cargo build --workspace --examples`", program.display());
    program
}

fn run(store: Store, careless: bool) -> Report {
    run_for(Duration::from_secs(8), store, careless)
}

fn run_for(lasts: Duration, store: Store, careless: bool) -> Report {
    let report = chaos::run(&Options { store, seed: 20, lasts, workers: 4, careless, program: program() }).unwrap();
    println!("{report}");
    report
}

#[test]
fn leases_in_redis_keep_their_promise_under_faults() {
    let report = run(Store::Redis { memory: Memory::None }, false);
    assert!(report.findings.grants > 20, "{report}");
    assert!(report.findings.broken.is_empty(), "{report}");
}

#[cfg(feature = "redis-sentinel")]
#[test]
fn leases_on_private_redis_servers_keep_their_promise_when_one_takes_the_place_of_the_other() {
    let report = run_for(Duration::from_secs(15), Store::Sentinel, false);
    assert!(report.faults.get("failover").is_some_and(|count| *count > 0), "{report}");
    assert!(report.findings.grants > 20, "{report}");
    assert!(report.findings.broken.is_empty(), "{report}");
}

#[test]
fn leases_in_sqlite_keep_their_promise_under_faults() {
    let report = run(Store::Sqlite, false);
    assert!(report.findings.grants > 20, "{report}");
    assert!(report.findings.broken.is_empty(), "{report}");
}

#[test]
fn a_worker_of_redis_that_never_looks_whether_its_lease_is_lost_is_found_and_its_late_writes_are_refused() {
    let report = run(Store::Redis { memory: Memory::None }, true);
    assert!(report.findings.refused > 0, "the register took everything: {report}");
    let overlaps = report.findings.broken.iter().filter(|broken| broken.contains("believed to hold it")).count();
    assert!(overlaps > 0, "nobody noticed: {report}");
    let taken = report.findings.broken.iter().any(|broken| broken.contains("the register took"));
    assert!(!taken, "{report}");
}
