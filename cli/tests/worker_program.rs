//! A user's own program around a worker, as a process.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use std::{
    io::{BufRead, BufReader, Read as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use support::{Folder, exit, stderr, stdout};

/// The example that cargo builds beside the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().unwrap().parent().unwrap().join("examples/worker_program")
}

fn start(folder: &Folder, arguments: &[&str]) -> Child {
    let mut command = folder.program(&program(), arguments);
    command.env("RUST_LOG", "info").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Reads until a line contains `text`, and returns it; the end of the output fails the test.
fn wait_for(lines: &mut impl BufRead, text: &str) -> String {
    let mut line = String::new();
    while lines.read_line(&mut line).unwrap() > 0 {
        if line.contains(text) {
            return line;
        }
        line.clear();
    }
    panic!("{text:?} did not come");
}

fn terminate(child: &Child) {
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_program_runs_its_tasks_until_it_is_told_to_stop_and_tells_what_it_left() {
    let folder = Folder::new();
    folder.run(&["task", "send", "greet", "--args", "[\"world\"]", "--queue", "greetings"]);
    let mut child = start(&folder, &["--concurrency", "2", "--drain-timeout", "1s"]);
    wait_for(&mut BufReader::new(child.stdout.take().unwrap()), "hello, world");
    terminate(&child);
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(told.lines().last().unwrap().contains("0 given back"), "{told}");
}

#[test]
fn a_program_logs_json_where_that_is_asked_for() {
    let folder = Folder::new();
    let mut child = start(&folder, &["worker", "--log-format", "json"]);
    let line = wait_for(&mut BufReader::new(child.stderr.take().unwrap()), "worker started");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap()["level"], "INFO");
    terminate(&child);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_program_has_the_operator_s_verbs() {
    let folder = Folder::new();
    let run = |arguments: &[&str]| folder.program(&program(), arguments).output().unwrap();
    assert_eq!(exit(&run(&["queue", "declare", "greetings"])), 0);
    assert!(stdout(&run(&["queue", "list"])).contains("greetings.dead"));
    assert!(stdout(&run(&["completions", "bash"])).contains("worker_program"));
}

#[test]
fn settings_of_the_code_are_shown_as_such_and_give_way_to_the_file() {
    let folder = Folder::new();
    let show = || {
        let output = folder.program(&program(), &["config", "show", "--json"]).output().unwrap();
        let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let setting = &shown["settings"]["queues.greetings.concurrency"];
        (setting["value"].as_u64().unwrap(), setting["from"].as_str().unwrap().to_owned())
    };
    assert_eq!(show(), (8, "code".into()));
    std::fs::write(folder.path().join("celeriac.toml"), "[queues.greetings]\nconcurrency = 3\n").unwrap();
    assert_eq!(show(), (3, "celeriac.toml:2".into()));
}

#[test]
fn the_worker_s_locks_are_where_the_settings_say() {
    let folder = Folder::new();
    let output = folder.program(&program(), &["--locks-url", "nowhere://h"]).output().unwrap();
    assert_eq!(exit(&output), 2);
    assert!(stderr(&output).contains("begins with nowhere://"), "{}", stderr(&output));
}

#[test]
fn a_queue_without_a_pool_is_refused_by_name() {
    let folder = Folder::new();
    let output = folder.program(&program(), &["-Q", "greeting"]).output().unwrap();
    assert_eq!(exit(&output), 2);
    assert_eq!(
        stderr(&output),
        "worker_program: this program has no pool for the queue \"greeting\"; did you mean \"greetings\"?\n"
    );
}

#[test]
fn a_worker_s_flags_before_a_verb_are_wrong_use() {
    let folder = Folder::new();
    let output = folder.program(&program(), &["--concurrency", "3", "queue", "list"]).output().unwrap();
    assert_eq!(exit(&output), 2);
}
