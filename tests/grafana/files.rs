//! The files fit together; nothing has to run for that.

use std::collections::BTreeSet;

use super::board::{RULES, boards, documented, metric, names, path, read, values};

#[test]
fn every_dashboard_panel_and_query_has_an_identity_of_its_own() {
    let mut uids = BTreeSet::new();
    for board in boards() {
        assert!(board.json["schemaVersion"].as_u64() >= Some(39), "{}", board.name);
        assert!(uids.insert(board.json["uid"].as_str().unwrap().to_owned()), "{}", board.name);
        let mut ids = BTreeSet::new();
        for panel in board.places() {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{}: {}", board.name, panel["title"]);
        }
        for panel in board.panels() {
            let mut asked = BTreeSet::new();
            for target in panel["targets"].as_array().unwrap() {
                assert!(asked.insert(target["refId"].as_str().unwrap()), "{}: {}", board.name, panel["title"]);
            }
            assert!(!asked.is_empty(), "{}: {}", board.name, panel["title"]);
        }
    }
}

#[test]
fn no_panel_lies_on_another_or_beside_the_grid() {
    for board in boards() {
        let mut taken = BTreeSet::new();
        for panel in board.places() {
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
            assert!(x + w <= 24 && w > 0 && h > 0, "{}: {}", board.name, panel["title"]);
            for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(place), "{}: {} at {place:?}", board.name, panel["title"]);
            }
        }
    }
}

#[test]
fn every_panel_says_what_to_do_in_which_unit_from_the_chosen_source() {
    for board in boards() {
        for panel in board.panels() {
            let name = format!("{}: {}", board.name, panel["title"]);
            assert!(panel["description"].as_str().unwrap().len() > 40, "{name}");
            let defaults = &panel["fieldConfig"]["defaults"];
            assert!(!defaults["unit"].as_str().unwrap().is_empty(), "{name}");
            assert!(!defaults["thresholds"]["steps"].as_array().unwrap().is_empty(), "{name}");
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{name}");
            for target in panel["targets"].as_array().unwrap() {
                assert_eq!(target["datasource"]["uid"], "${datasource}", "{name}");
            }
        }
        for (title, expr) in board.expressions() {
            let windows = expr.matches('[').count();
            let fitting = expr.matches("[$__rate_interval]").count() + expr.matches("[$__range]").count();
            assert_eq!(windows, fitting, "{title}: {expr}");
        }
    }
}

#[test]
fn every_link_leads_to_a_dashboard() {
    let boards = boards();
    let uids: Vec<&str> = boards.iter().map(|board| board.json["uid"].as_str().unwrap()).collect();
    for board in &boards {
        let text = board.json.to_string();
        for link in text.split("\"/d/").skip(1) {
            let uid = link.split(['?', '"']).next().unwrap();
            assert!(uids.contains(&uid), "{}: {uid}", board.name);
        }
        let links = board.json["links"].as_array().unwrap();
        assert!(links.iter().any(|link| link["tags"][0] == "celeriac"), "{} links to the others", board.name);
        assert_eq!(board.json["tags"][0], "celeriac", "{} is linked to", board.name);
    }
}

#[test]
fn every_metric_that_is_shown_exists_and_every_one_that_exists_is_shown() {
    let listed = documented();
    let mut shown = BTreeSet::new();
    for board in boards() {
        for (title, expr) in board.expressions().into_iter().chain(board.variables()) {
            for name in names(&expr) {
                let known = metric(&listed, name).unwrap_or_else(|| panic!("{title}: there is no {name}"));
                shown.insert(known.to_owned());
            }
        }
    }
    let missing: Vec<&String> = listed.keys().filter(|name| !shown.contains(*name)).collect();
    assert!(missing.is_empty(), "on no dashboard: {missing:?}");
}

#[test]
fn every_metric_in_a_rule_exists_and_every_recorded_one_is_recorded() {
    let listed = documented();
    let recorded: BTreeSet<String> = values(&read(RULES[0]), "record").into_iter().map(str::to_owned).collect();
    assert!(recorded.len() > 5);
    for file in RULES.into_iter().chain(["grafana/kubernetes/scaler.yaml"]) {
        let text = read(file);
        let rules: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        let rules = rules.join("\n");
        for name in names(&rules) {
            let known = recorded.contains(name) || metric(&listed, name).is_some();
            assert!(known, "{file}: there is no {name}");
        }
    }
}

#[test]
fn every_alert_has_a_runbook_and_a_test_and_every_runbook_an_alert() {
    let (rules, operations, tests) =
        (read(RULES[1]), read("docs/operations.md"), read("grafana/prometheus/tests/alerts.yml"));
    let alerts: BTreeSet<&str> = values(&rules, "alert").into_iter().collect();
    assert!(alerts.len() > 20);
    let headings: BTreeSet<&str> = operations.lines().filter_map(|line| line.strip_prefix("### Celeriac")).collect();
    let named: BTreeSet<&str> = alerts.iter().filter_map(|alert| alert.strip_prefix("Celeriac")).collect();
    assert_eq!(named, headings, "alerts on the left, runbooks on the right");
    let anchors: BTreeSet<String> = values(&rules, "runbook").into_iter().map(str::to_owned).collect();
    let wanted = alerts.iter().map(|alert| format!("docs/operations.md#{}", alert.to_lowercase()));
    assert_eq!(anchors, wanted.collect());
    let tested: BTreeSet<&str> = values(&tests, "name").into_iter().collect();
    assert_eq!(alerts, tested, "alerts on the left, their tests on the right");
    for runbook in operations.split("\n### Celeriac").skip(1) {
        let (name, rest) = runbook.split_once('\n').unwrap();
        let text = rest.split("\n#").next().unwrap();
        for part in ["**Means**", "**Look**", "**Mend**"] {
            assert!(text.contains(part), "Celeriac{name} says {part}");
        }
        assert!(text.split("**Mend**").nth(1).unwrap().contains('`'), "Celeriac{name} has a command");
    }
}

#[test]
fn compose_mounts_what_is_there_where_it_is_looked_for() {
    let compose = read("grafana/compose.yaml");
    let mounts: Vec<(&str, &str)> = compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ./")?.strip_suffix(":ro")?.split_once(':'))
        .collect();
    assert!(mounts.len() >= 4, "{mounts:?}");
    for (here, _) in &mounts {
        assert!(path("grafana").join(here).exists(), "{here}");
    }
    let dashboards = read("grafana/provisioning/dashboards/celeriac.yaml");
    let looked_for = values(&dashboards, "path")[0];
    assert!(mounts.contains(&("dashboards", looked_for)), "{looked_for} in {mounts:?}");
    let home = values(&compose, "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH")[0];
    assert_eq!(home, format!("{looked_for}/overview.json"));
    let scraped = read("grafana/prometheus/prometheus.yml");
    let port = values(&compose, "CELERIAC_METRICS_ADDR")[0].rsplit(':').next().unwrap();
    assert!(scraped.contains(&format!("\"worker:{port}\"")), "{scraped}");
}
