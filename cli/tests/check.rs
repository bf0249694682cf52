//! What a monitoring system reads of checks: one line with perfdata, and an exit code that means what it says.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use std::process::Output;

use support::{Folder, exit, stdout};

const OK: i32 = 0;
const WARNING: i32 = 1;
const CRITICAL: i32 = 2;
const UNKNOWN: i32 = 3;

/// A folder whose file has one ready message, three dead letters and no consumer at `mail`.
fn mail() -> Folder {
    let folder = Folder::with_dead_letters();
    assert_eq!(exit(&folder.run(&["task", "send", "mail.send", "--queue", "mail"])), 0);
    folder
}

/// The line of a check that ended so.
#[track_caller]
fn line(output: &Output, state: i32, begins: &str) -> String {
    let told = stdout(output);
    assert_eq!(exit(output), state, "{told}");
    assert!(told.starts_with(begins), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    told
}

/// One `'label'=value[unit];[warn];[crit];[min];[max]`.
fn is_perfdata(datum: &str) -> bool {
    let Some((label, values)) = datum.strip_prefix('\'').and_then(|rest| rest.split_once("'=")) else { return false };
    let mut values = values.split(';');
    let value = values.next().unwrap_or_default();
    let number = |text: &str| text.parse::<f64>().is_ok();
    let range = |text: &str| text.is_empty() || number(text.strip_suffix(':').unwrap_or(text));
    !label.contains(['\'', '=', ' '])
        && (value == "U" || number(value.strip_suffix('s').unwrap_or(value)))
        && values.clone().count() <= 4
        && values.all(range)
}

#[test]
fn a_queue_is_ok_within_its_thresholds_and_not_beyond() {
    let folder = mail();
    let check = |arguments: &[&str]| folder.run(&[&["check", "queue", "mail"], arguments].concat());
    for (arguments, state, begins) in [
        (&["--warn-age", "1h", "--crit-age", "2h"][..], OK, "QUEUE OK - mail: the oldest waits "),
        (&["--warn-age", "0s", "--crit-age", "2h"], WARNING, "QUEUE WARNING - mail: the oldest waits "),
        (&["--warn-age", "0s", "--crit-age", "0s"], CRITICAL, "QUEUE CRITICAL - mail: the oldest waits "),
        (&["--crit-depth", "1"], OK, "QUEUE OK - mail: "),
        (&["--warn-depth", "0"], WARNING, "QUEUE WARNING - mail: 1 ready (over 0); "),
        (&["--warn-dead", "2", "--crit-dead", "9"], WARNING, "QUEUE WARNING - mail: 3 dead letters (over 2); "),
        (&["--crit-dead", "0", "--warn-depth", "0"], CRITICAL, "QUEUE CRITICAL - mail: 1 ready (over 0); 3 dead"),
        (&["--min-consumers", "1"], CRITICAL, "QUEUE CRITICAL - mail: 0 consumers (at least 1 expected); "),
    ] {
        line(&check(arguments), state, begins);
    }
}

#[test]
fn every_value_is_perfdata_with_its_limits() {
    let folder = mail();
    let output = folder.run(&["check", "queue", "mail", "--warn-age", "90s", "--crit-age", "1.5h", "--crit-dead", "5"]);
    let told = line(&output, OK, "QUEUE OK - mail: ");
    let perfdata: Vec<&str> = told.trim_end().split_once(" | ").unwrap().1.split(' ').collect();
    assert!(perfdata.iter().all(|datum| is_perfdata(datum)), "{perfdata:?}");
    assert!(perfdata[0].starts_with("'oldest'=") && perfdata[0].ends_with("s;90;5400;0;"), "{perfdata:?}");
    assert_eq!(perfdata[1..4], ["'ready'=1;;;0;", "'dead'=3;;5;0;", "'consumers'=0;;;0;"]);
    let document = folder.json(&["check", "queue", "mail", "--crit-depth", "5"]);
    assert_eq!((&document["state"], &document["exit_code"]), (&"OK".into(), &0.into()));
}

#[test]
fn an_empty_queue_has_nothing_that_waits() {
    let folder = Folder::new();
    folder.run(&["queue", "declare", "mail"]);
    let told = line(&folder.run(&["check", "queue", "mail", "--crit-age", "0s"]), OK, "QUEUE OK - mail: nothing waits");
    assert!(told.contains("'oldest'=0s;;0;0;"), "{told}");
}

#[test]
fn what_can_not_be_known_is_unknown_and_says_what_would_help() {
    let folder = mail();
    for (arguments, service, helps) in [
        (&["check", "queue", "mial", "--crit-age", "5m"][..], "QUEUE", "there is no queue mial"),
        (&["check", "queue", "mail"], "QUEUE", "--crit-age"),
        (&["check", "queue", "a*", "--crit-age", "5m"], "QUEUE", "a*"),
        (&["check", "queue", "mail", "--crit-age", "5"], "QUEUE", "no unit"),
        (
            &["check", "queue", "mail", "--warn-age", "2m", "--crit-age", "1m"],
            "QUEUE",
            "--warn-age is above --crit-age",
        ),
        (&["check", "queue", "mail", "--crit-agee", "5m"], "QUEUE", "--crit-age"),
        (&["check", "queue"], "QUEUE", "<QUEUE>"),
        (&["check", "queue", "mail", "--crit-age", "5m", "--broker", "sqlite://elsewhere.db"], "QUEUE", "elsewhere.db"),
        (&["--broker", "gopher://there", "check", "queue", "mail", "--crit-age", "5m"], "QUEUE", "gopher"),
        (&["--config", "nowhere.toml", "check", "queue", "mail", "--crit-age", "5m"], "QUEUE", "nowhere.toml"),
        (&["--bogus", "check", "worker"], "WORKER", "--bogus"),
        (&["check", "worker"], "WORKER", "--addr"),
        (&["check", "worker", "--addr", "9464"], "WORKER", "9464"),
        (&["check", "locks", "--crit-held", "soon"], "LOCKS", "soon"),
        (&["check", "locks", "--broker", "amqp://127.0.0.1:1"], "LOCKS", "CELERIAC_LOCKS_URL"),
        (&["check", "locks", "--locks-url", "sqlite://elsewhere.db"], "LOCKS", "elsewhere.db"),
        (&["check", "nothing"], "CHECK", "nothing"),
    ] {
        let told = line(&folder.run(arguments), UNKNOWN, &format!("{service} UNKNOWN - "));
        assert!(told.contains(helps), "{told}");
        assert!(!told.contains(" | "), "{told}");
    }
    assert!(!folder.path().join("elsewhere.db").exists(), "a check leaves no file behind");
    let output = folder.run(&["--json", "check", "queue", "mail", "--crit-age", "5"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((exit(&output), &document["exit_code"], &document["state"]), (UNKNOWN, &3.into(), &"UNKNOWN".into()));
}

#[test]
fn other_commands_and_help_keep_their_exit_codes() {
    let folder = Folder::new();
    assert_eq!(exit(&folder.run(&["queue", "show", "check", "--bogus"])), 2);
    assert_eq!(exit(&folder.run(&["--bogus"])), 2);
    assert_eq!(exit(&folder.run(&["--broker", "check", "queue", "--bogus"])), 2);
    for arguments in [&["check", "queue", "--help"][..], &["check", "--help"], &["check", "queue", "-h"]] {
        let output = folder.run(arguments);
        assert_eq!(exit(&output), 0);
        assert!(stdout(&output).contains("Usage"), "{}", stdout(&output));
    }
}

#[test]
fn a_broker_that_can_not_be_used_is_critical() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("celeriac.db"), "this is no database, and long enough to be one ".repeat(50))
        .unwrap();
    let queue = folder.run(&["check", "queue", "mail", "--crit-age", "5m"]);
    line(&queue, CRITICAL, "QUEUE CRITICAL - can't look at queue mail: ");
    let away = folder.run(&["--broker", "amqp://u:hunter2@127.0.0.1:1", "check", "queue", "mail", "--crit-age", "5m"]);
    let told = line(&away, CRITICAL, "QUEUE CRITICAL - can't look at queue mail: ");
    assert!(told.contains("unreachable") && !told.contains("hunter2"), "{told}");
    let away = folder.run(&["--locks-url", "redis://:hunter2@127.0.0.1:1", "check", "locks", "--timeout", "3s"]);
    let told = line(&away, CRITICAL, "LOCKS CRITICAL - ");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn a_worker_that_nobody_can_ask_is_critical_and_what_is_no_worker_is_unknown() {
    let folder = Folder::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // It takes connections, as the system does for it, and never answers.
    let deaf = folder.run(&["check", "worker", "--addr", &address, "--timeout", "300ms"]);
    let told = line(&deaf, CRITICAL, "WORKER CRITICAL - ");
    assert!(told.contains("does not answer within 300ms"), "{told}");
    let server = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        // The one that was given up on waits in line before.
        for stream in listener.incoming().take(2) {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.0 404 Not Found\r\n\r\n");
        }
    });
    let other = folder.run(&["check", "worker", "--addr", &address]);
    let told = line(&other, UNKNOWN, "WORKER UNKNOWN - ");
    assert!(told.contains("404") && told.contains("--metrics-addr"), "{told}");
    server.join().unwrap();
    let gone = folder.run(&["check", "worker", "--addr", &address]);
    let told = line(&gone, CRITICAL, "WORKER CRITICAL - ");
    assert!(told.contains("refused"), "{told}");
}
