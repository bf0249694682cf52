//! What Prometheus' own tool says of the files.

use std::process::Command;

use super::board::{RULES, path};
use crate::support::promtool;

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&text));
}

#[test]
fn promtool_finds_nothing_wrong_with_the_rules_and_the_configuration() {
    succeeds(promtool().args(["check", "rules"]).args(RULES.map(path)));
    succeeds(promtool().args(["check", "config"]).arg(path("grafana/prometheus/prometheus.yml")));
}

#[test]
fn every_alert_fires_when_it_should_and_not_before() {
    succeeds(promtool().args(["test", "rules"]).arg(path("grafana/prometheus/tests/alerts.yml")));
}

#[test]
fn the_dashboards_are_what_the_script_writes() {
    succeeds(Command::new("python3").arg(path("grafana/write_dashboards")).arg("--check"));
}
