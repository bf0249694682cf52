//! Every expression is answered by what real workers show while all goes wrong that panels and alerts are about.

use std::time::Duration;

use super::{
    api::{ask, now, numbers},
    board::{boards, filled, path},
    load::Stage,
};

/// What only shows something else when nobody answers any worker.
const MAY_BE_ZERO: &[&str] = &["reliability / Queues without reporter"];

#[tokio::test]
async fn every_panel_variable_and_alert_is_answered_by_workers_over_rabbitmq_redis_and_sqlite() {
    let mut stage = Stage::set().await;
    stage.go_wrong().await;
    let (port, start) = (stage.prometheus.port(), stage.start);
    let mut wrong = Vec::new();
    let range = format!("{:.0}s", now() - start);

    let (mut panels, mut variables) = (0, 0);
    for board in boards() {
        for (title, expr) in board.expressions() {
            panels += 1;
            let expr = filled(&expr, "10s", &range);
            match numbers(port, &expr, start).await {
                Err(error) => wrong.push(format!("{title}: {error}: {expr}")),
                Ok(numbers) if numbers.is_empty() => wrong.push(format!("{title} is empty: {expr}")),
                Ok(numbers) if numbers.iter().all(|number| *number == 0.0) && !MAY_BE_ZERO.contains(&&*title) => {
                    wrong.push(format!("{title} is 0 all the time: {expr}"));
                }
                Ok(_) => {}
            }
        }
        for (name, expr) in board.variables() {
            variables += 1;
            let found = numbers(port, &filled(&expr, "10s", &range), start).await;
            if found.is_ok_and(|numbers| numbers.is_empty()) {
                wrong.push(format!("{name} is empty: {expr}"));
            }
        }
    }

    let rules = ask(port, "/api/v1/rules", &[]).await.unwrap();
    let (mut alerts, mut recorded, mut fired) = (0, 0, Vec::new());
    for rule in rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        let (name, expr) = (rule["name"].as_str().unwrap(), rule["query"].as_str().unwrap());
        if rule["health"] != "ok" {
            wrong.push(format!("{name}: {} {}", rule["health"], rule["lastError"]));
        }
        let asked = if rule["type"] == "alerting" {
            alerts += 1;
            could_fire(expr)
        } else {
            recorded += 1;
            name.to_owned()
        };
        match numbers(port, &asked, start).await {
            Err(error) => wrong.push(format!("{name}: {error}: {asked}")),
            Ok(numbers) if numbers.is_empty() => wrong.push(format!("{name} is empty: {asked}")),
            Ok(_) => {}
        }
        if rule["state"] == "firing" {
            fired.push(name.to_owned());
        }
    }
    println!(
        "{panels} expressions of panels, {variables} variables, {alerts} alerts, {recorded} recorded; firing: {fired:?}"
    );
    assert!(panels > 60 && variables >= 8 && alerts > 20 && recorded > 5);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(fired.iter().any(|name| name == "CeleriacDeadLetters"), "{fired:?}");
    draw(&mut stage).await;
}

/// An alert's expression with its comparisons answered by 0 or 1: empty only where what it compares is.
fn could_fire(expr: &str) -> String {
    let inner = expr.strip_prefix("absent(").and_then(|rest| rest.strip_suffix(')'));
    let mut asked = inner.unwrap_or(expr).to_owned();
    for comparison in [" > ", " >= ", " == "] {
        asked = asked.replace(comparison, &format!("{comparison}bool "));
    }
    assert!(asked.contains("bool"), "{expr}");
    asked
}

/// Draws the dashboards where `CELERIAC_TEST_PICTURES` says for how many seconds more the load is to go on.
async fn draw(stage: &mut Stage) {
    let Ok(seconds) = std::env::var("CELERIAC_TEST_PICTURES") else { return };
    tokio::time::sleep(Duration::from_secs(seconds.parse().unwrap())).await;
    let mut node = tokio::process::Command::new("node");
    node.arg(path("grafana/pictures.mjs")).arg(format!("http://127.0.0.1:{}", stage.prometheus.port()));
    node.arg(stage.start.to_string()).arg(path("docs/images"));
    let status = node.status().await.unwrap();
    assert!(status.success(), "{status}");
}
