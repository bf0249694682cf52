//! The night of feeds, on every pair of services that it runs on.

use std::{path::Path, time::Duration};

use serde_json::Value;
use tokio::process::Command;

use crate::support::{Child, example};

/// Leases of the example.
const LEASES: u64 = 3;

/// Longer than the example waits for a morning that does not come.
const NIGHT: Duration = Duration::from_secs(150);

/// What the example may take to free a dead worker's leases: its ttl, and a margin.
const RECOVERY_SECONDS: f64 = 3.0 + 2.0;

#[tokio::test]
async fn a_night_on_one_file_hammers_nobody_and_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut night = start(folder.path(), &[], &[]);
    let report = end(&mut night).await;
    assert_promises(&report);
    assert!(report["restart"].is_null(), "a file is not restarted: {report}");
}

/// Starts the night on these services.
pub(crate) fn start(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Child {
    let mut command = Command::new(example("dealers"));
    command.arg("--json").args(arguments).current_dir(folder).env("TMPDIR", folder);
    command.env_remove("CELERIAC_BROKER_URL").env_remove("CELERIAC_LOCKS_URL").envs(environment.iter().copied());
    Child::spawn(command)
}

/// Waits for the morning's report. That no promise was broken is the program's own word; the caller looks for itself.
pub(crate) async fn end(night: &mut Child) -> Value {
    let report = night.wait_for_line_within(NIGHT, |line| line.starts_with('{')).await;
    let status = night.wait().await;
    assert!(status.success(), "{status}\n{}", night.output());
    serde_json::from_str(&report).unwrap()
}

/// The promises, by the numbers.
#[track_caller]
pub(crate) fn assert_promises(report: &Value) {
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("no number {value} in {report}"));
    assert!(number(&report["tasks"]) > 400, "{report}");
    assert_eq!(report["done"], report["tasks"], "{report}");

    let dealers = report["dealers"].as_array().unwrap();
    assert_eq!(dealers.len(), 12, "{report}");
    for dealer in dealers {
        assert_eq!(number(&dealer["refused"]), 0, "{dealer}");
        for span in dealer["spans"].as_array().unwrap() {
            assert!(number(&span["peak"]) <= number(&span["allowed"]), "{dealer}");
        }
    }
    let peaks = dealers.iter().map(|dealer| number(&dealer["spans"][0]["peak"]));
    assert_eq!(
        peaks.max(),
        Some(LEASES),
        "all leases of one dealer were in use at once, or nothing was shown: {report}"
    );
    let resized: Vec<_> = dealers.iter().filter_map(|dealer| dealer["spans"][1]["allowed"].as_u64()).collect();
    assert_eq!(resized, [1, 5], "{report}");

    let rows = &report["rows"];
    assert_eq!((number(&rows["expected"]), number(&rows["wrong"])), (15_000, 0), "{report}");
    assert_eq!(rows["imported"], rows["expected"], "{report}");

    let exports = &report["runs"]["dealers.build_exports"];
    assert_eq!((number(&report["schedules"]), number(&report["exports"])), (12, 12), "{report}");
    assert_eq!((number(&exports["tasks"]), number(&exports["in_vain"])), (24, 0), "{report}");
    assert!(number(&exports["skipped"]) >= 12, "the second of each two was skipped: {report}");
    assert_eq!(number(&report["runs"]["dealers.recompress"]["at_once"]), 1, "{report}");

    let recovery = &report["recovery"];
    assert!(number(&recovery["leases"]) >= 1, "{report}");
    assert!(seconds(&recovery["free_after"]) <= RECOVERY_SECONDS, "{report}");
    assert!(recovery["done_after"].is_object(), "others did the dead worker's tasks: {report}");

    let memory = report["peak_mebibytes"].as_array().unwrap();
    assert!(memory.iter().all(|peak| number(peak) < 100), "{report}");
    assert!(memory.len() >= 4 || cfg!(not(target_os = "linux")), "{report}");
}

/// A duration as serde writes it.
#[track_caller]
pub(crate) fn seconds(duration: &Value) -> f64 {
    let part = |name: &str| duration[name].as_f64().unwrap_or_else(|| panic!("{duration} is no duration"));
    part("secs") + part("nanos") / 1e9
}
