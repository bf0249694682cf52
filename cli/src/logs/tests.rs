use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};

use super::*;

/// What `log` logs inside a run, as `format` shows it.
fn lines(format: LogFormat, log: impl FnOnce()) -> Vec<String> {
    let written = Arc::new(Mutex::new(Vec::new()));
    let sink = written.clone();
    let lines =
        Lines { format, ansi: false, write: Box::new(move |line| sink.lock().unwrap().extend_from_slice(line)) };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
        let run = tracing::info_span!(
            target: "celeriac_worker::execution::span",
            "celeriac.run",
            otel.kind = "consumer",
            task = "mail.welcome",
            task_id = "7f",
            attempt = 2,
            tags = tracing::field::Empty
        );
        run.in_scope(|| {
            run.record("tags", tracing::field::display("company=eu-7"));
            run.record("tags", tracing::field::display("company=eu-7 run=3 urgent note=\"two words\""));
            log();
        });
    });
    let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn parsed(log: impl FnOnce()) -> Json {
    let lines = lines(LogFormat::Json, log);
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    serde_json::from_str(line).unwrap()
}

/// Without the instant that stands in front.
fn pretty(log: impl FnOnce()) -> String {
    let lines = lines(LogFormat::Pretty, log);
    let [line] = lines.as_slice() else { panic!("{lines:?}") };
    line.split_once(' ').unwrap().1.to_owned()
}

#[test]
fn a_line_of_json_is_flat_and_says_which_task() {
    let line = parsed(|| {
        let _step = tracing::info_span!("step", step = "upload", size = 1).entered();
        tracing::warn!(size = 7, ratio = 0.5, ok = true, what = ?[1, 2], "slow");
    });
    let timestamp = line["timestamp"].clone();
    assert_eq!(
        line,
        json!({
            "timestamp": timestamp, "level": "WARN", "target": "celeriac_cli::logs::tests", "message": "slow",
            "task": "mail.welcome", "task_id": "7f", "attempt": 2,
            "tags": { "company": "eu-7", "run": "3", "urgent": true, "note": "two words" },
            "size": 7, "ratio": 0.5, "ok": true, "what": "[1, 2]", "step": "upload",
        })
    );
}

#[test]
fn nobody_takes_the_place_of_what_says_which_task() {
    let line = parsed(|| {
        let _mine = tracing::info_span!("celeriac.publish", task = "mail.child").entered();
        tracing::info!(task_id = "other", attempt = 2, level = 3, "mine");
    });
    assert_eq!((&line["task"], &line["task_id"], &line["attempt"]), (&json!("mail.welcome"), &json!("7f"), &json!(2)));
    assert_eq!((&line["level"], &line["fields.level"]), (&json!("INFO"), &json!(3)));
    assert_eq!((&line["fields.task"], &line["fields.task_id"]), (&json!("mail.child"), &json!("other")));
    assert_eq!(line.get("fields.attempt"), None, "it says the same");
}

#[test]
fn a_line_for_people_says_which_task_once() {
    let line = pretty(|| tracing::info!(task_id = "7f", outcome = "succeeded", "done"));
    assert_eq!(
        line,
        " INFO celeriac.run{task=\"mail.welcome\" task_id=\"7f\" attempt=2 tags=company=eu-7 run=3 urgent note=\"two words\"}: \
         celeriac_cli::logs::tests: done outcome=\"succeeded\""
    );
}

#[test]
fn what_is_logged_stays_one_line_and_tells_a_terminal_nothing() {
    let error = std::io::Error::other("first\nsecond\x1b[31m");
    let line = pretty(|| tracing::error!(error = &error as &dyn std::error::Error, "a\nb"));
    assert!(line.ends_with("a\\nb error=first\\nsecond\\u{1b}[31m"), "{line}");
}

#[test]
fn an_error_is_told_with_what_is_behind_it() {
    #[derive(Debug, thiserror::Error)]
    #[error("no mail")]
    struct NoMail(#[source] std::io::Error);
    let error = NoMail(std::io::Error::other("down"));
    let line = parsed(|| tracing::error!(error = &error as &dyn std::error::Error));
    assert_eq!((&line["error"], line.get("message")), (&json!("no mail: down"), None));
}
