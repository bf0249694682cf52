//! The files of `grafana/` and the lists of `docs/`, as tests read them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use serde_json::Value;

/// A file or folder of the repository.
pub(super) fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(relative)
}

pub(super) fn read(relative: &str) -> String {
    fs::read_to_string(path(relative)).unwrap_or_else(|error| panic!("{relative}: {error}"))
}

pub(super) const RULES: [&str; 2] = ["grafana/prometheus/rules/recording.yml", "grafana/prometheus/rules/alerts.yml"];

/// A dashboard's file.
pub(super) struct Board {
    pub(super) name: String,
    pub(super) json: Value,
}

pub(super) fn boards() -> Vec<Board> {
    let files = fs::read_dir(path("grafana/dashboards")).unwrap().map(|file| file.unwrap().path());
    let mut boards: Vec<Board> = files
        .map(|file| Board {
            name: file.file_stem().unwrap().to_string_lossy().into_owned(),
            json: serde_json::from_str(&fs::read_to_string(&file).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", file.display())),
        })
        .collect();
    boards.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(boards.len() >= 4, "the dashboards are read");
    boards
}

impl Board {
    /// Everything in the grid, rows included.
    pub(super) fn places(&self) -> &[Value] {
        self.json["panels"].as_array().unwrap()
    }

    /// Panels that show something.
    pub(super) fn panels(&self) -> impl Iterator<Item = &Value> {
        self.places().iter().filter(|panel| panel["type"] != "row")
    }

    /// Every expression, with the title of its panel.
    pub(super) fn expressions(&self) -> Vec<(String, String)> {
        let of = |panel: &Value| {
            let title = format!("{} / {}", self.name, panel["title"].as_str().unwrap());
            let targets = panel["targets"].as_array().unwrap().clone();
            targets.into_iter().map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
        };
        self.panels().flat_map(of).collect()
    }

    /// What the variables ask for, as an expression: every `label_values(SERIES, LABEL)`.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let variables = self.json["templating"]["list"].as_array().unwrap();
        let asking = variables.iter().filter(|variable| variable["type"] == "query");
        let ask = |variable: &Value| {
            let asked = variable["definition"].as_str().unwrap();
            let inner = asked.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')).unwrap();
            let (series, label) = inner.rsplit_once(", ").unwrap();
            let name = format!("{} / ${}", self.name, variable["name"].as_str().unwrap());
            (name, format!("count by ({label}) ({series}) and on ({label}) group by ({label}) ({series})"))
        };
        asking.map(ask).collect()
    }
}

/// An expression as Grafana sends it when everything is chosen.
pub(super) fn filled(expr: &str, interval: &str, range: &str) -> String {
    let mut filled = expr.replace("$__rate_interval", interval).replace("$__range", range);
    for variable in ["job", "queue", "task", "lock"] {
        filled = filled.replace(&format!("\"${variable}\""), "\".*\"");
    }
    assert!(!filled.contains('$'), "nothing else is known: {filled}");
    filled
}

/// Every name in a text that could be one of a metric, or of a recorded one.
pub(super) fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    words.map(|word| word.trim_matches(':')).filter(|word| word.contains("celeriac_")).collect()
}

/// What docs/metrics.md lists, with the types.
pub(super) fn documented() -> BTreeMap<String, String> {
    let text = read("docs/metrics.md");
    let row = |line: &str| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let name = cells.next()?.strip_prefix("`celeriac_")?.strip_suffix('`')?;
        Some((format!("celeriac_{name}"), cells.next()?.to_owned()))
    };
    let listed: BTreeMap<_, _> = text.lines().filter_map(row).collect();
    assert!(listed.len() > 30, "the tables are read");
    listed
}

/// The metric that a series belongs to, if there is one.
pub(super) fn metric<'a>(listed: &'a BTreeMap<String, String>, series: &str) -> Option<&'a str> {
    let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| series.strip_suffix(suffix));
    let histogram = base.filter(|base| listed.get(*base).is_some_and(|kind| kind == "histogram"));
    let (name, kind) = listed.get_key_value(histogram.unwrap_or(series))?;
    // A histogram is asked for by its parts.
    (histogram.is_some() || kind != "histogram").then_some(name)
}

/// The values of `key:` at the begin of a line of YAML, a list's dash before it or not.
pub(super) fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let value = |line: &'a str| line.trim_start().trim_start_matches("- ").strip_prefix(key)?.strip_prefix(": ");
    text.lines().filter_map(value).collect()
}
