//! The commands as processes, over a SQLite file.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is how a test fails")]

mod support;

use serde_json::json;

use support::{Folder, exit, stderr, stdout};

#[test]
fn a_queue_is_declared_listed_shown_and_purged() {
    let folder = Folder::new();
    assert_eq!(exit(&folder.run(&["queue", "declare", "mail"])), 0);
    folder.run(&["task", "send", "mail.send", "--queue", "mail"]);
    let listed = folder.json(&["queue", "list"]);
    assert_eq!(listed["complete"], true);
    let mail = listed["queues"].as_array().unwrap().iter().find(|queue| queue["name"] == "mail").unwrap();
    assert_eq!((&mail["ready"], &mail["running"]), (&json!(1), &json!(0)));
    assert_eq!(folder.json(&["queue", "show", "mail"])["dead"], 0);
    assert_eq!(folder.json(&["queue", "purge", "mail", "--yes"])["purged"], 1);
    assert_eq!(folder.json(&["queue", "show", "mail"])["ready"], 0);
}

#[test]
fn what_destroys_is_refused_where_nobody_can_be_asked() {
    let folder = Folder::with_dead_letters();
    for command in [&["queue", "purge", "mail"][..], &["dead", "delete", "mail", "--all"]] {
        let output = folder.run(command);
        assert_eq!(exit(&output), 2);
        assert!(stderr(&output).contains("--yes"), "{}", stderr(&output));
    }
    assert_eq!(folder.json(&["dead", "list", "mail"])["letters"].as_array().unwrap().len(), 3);
}

#[test]
fn a_queue_that_is_not_there_is_said_to_be_missing() {
    let folder = Folder::new();
    for command in [&["queue", "show", "nowhere"][..], &["dead", "list", "nowhere"], &["queue", "purge", "nowhere"]] {
        let output = folder.run(command);
        assert_eq!(exit(&output), 1);
        assert!(stderr(&output).contains("there is no queue nowhere"), "{}", stderr(&output));
        assert_eq!(stderr(&output).lines().count(), 1);
    }
}

#[test]
fn a_sent_task_waits_in_its_queue_as_it_was_asked_to() {
    let folder = Folder::new();
    let sent =
        folder.json(&["task", "send", "a.b", "--args", "{\"x\": 1}", "-q", "q", "--delay", "1h", "--id", "mine"]);
    assert_eq!(sent, json!({"id": "mine", "queue": "q", "task": "a.b"}));
    folder.run(&["task", "send", "a.b", "--args", "[1, 2]", "-q", "q"]);
    let queue = folder.json(&["queue", "show", "q"]);
    assert_eq!((&queue["ready"], &queue["delayed"]), (&json!(1), &json!(1)));
}

#[test]
fn a_task_that_can_not_be_sent_is_wrong_use() {
    let folder = Folder::new();
    for arguments in [
        &["--args", "3"][..],
        &["--args", "[1"],
        &["--delay", "5"],
        &["--delay", "400d"],
        &["--priority", "10"],
        &["--queue", "a*"],
        &["--eta", "tomorrow"],
    ] {
        let output = folder.run(&[&["task", "send", "a.b"], arguments].concat());
        assert_eq!(exit(&output), 2, "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn dead_letters_are_listed_without_what_is_secret() {
    let folder = Folder::with_dead_letters();
    for command in
        [&["dead", "list", "mail"][..], &["dead", "list", "mail", "--json"], &["dead", "show", "mail", "one"]]
    {
        let output = folder.run(command);
        assert!(stdout(&output).contains("boom"), "{}", stdout(&output));
        assert!(!stdout(&output).contains("hunter2"), "{}", stdout(&output));
    }
    let raw = folder.run(&["dead", "show", "mail", "one", "--raw"]);
    assert_eq!(stdout(&raw), "[[], {\"password\": \"hunter2\"}, {}]");
    assert_eq!(exit(&folder.run(&["dead", "show", "mail", "--task", "mail.send", "--raw"])), 1);
}

#[test]
fn dead_letters_are_listed_with_the_tags_that_they_were_published_with() {
    let folder = Folder::with_dead_letters();
    let listed = folder.json(&["dead", "list", "mail", "two"]);
    assert_eq!(listed["letters"][0]["tags"], json!(["company=eu-7", "urgent"]));
}

#[test]
fn dead_letters_are_found_by_id_task_and_error() {
    let folder = Folder::with_dead_letters();
    let ids = |arguments: &[&str]| {
        let listed = folder.json(&[&["dead", "list", "mail"], arguments].concat());
        listed["letters"].as_array().unwrap().iter().map(|letter| letter["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&[]), ["one", "two", "three"]);
    assert_eq!(ids(&["two"]), ["two"]);
    assert_eq!(ids(&["--task", "mail.send"]), ["one", "two"]);
    assert_eq!(ids(&["--error", "boom"]), ["one", "three"]);
    assert_eq!(ids(&["--error", "boom", "--task", "mail.send"]), ["one"]);
    assert_eq!(ids(&["--limit", "2"]), ["one", "two"]);
}

#[test]
fn retried_dead_letters_go_back_to_their_queue_and_the_others_stay() {
    let folder = Folder::with_dead_letters();
    assert_eq!(folder.json(&["dead", "retry", "mail", "--error", "boom"])["retried"], 2);
    assert_eq!(folder.json(&["queue", "show", "mail"])["ready"], 2);
    assert_eq!(folder.json(&["queue", "show", "mail"])["dead"], 1);
    assert_eq!(folder.json(&["dead", "retry", "mail.dead", "--all"])["retried"], 1);
    assert_eq!(folder.json(&["queue", "show", "mail"])["ready"], 3);
}

#[test]
fn a_dead_letter_that_dies_again_meanwhile_is_retried_once() {
    let folder = Folder::with_dead_letters();
    folder.bury("one", "mail.send", "big boom");
    assert_eq!(folder.json(&["dead", "retry", "mail", "--all"])["retried"], 3);
    assert_eq!(folder.json(&["queue", "show", "mail"])["dead"], 1);
    assert_eq!(folder.json(&["dead", "retry", "mail", "--all"])["retried"], 1);
}

#[test]
fn deleted_dead_letters_are_gone_and_the_others_stay() {
    let folder = Folder::with_dead_letters();
    assert_eq!(folder.json(&["dead", "delete", "mail", "two", "--yes"])["deleted"], 1);
    let output = folder.run(&["dead", "delete", "mail", "two", "--yes"]);
    assert_eq!(exit(&output), 1);
    assert!(stderr(&output).contains("no dead letter two"), "{}", stderr(&output));
    assert_eq!(folder.json(&["queue", "show", "mail"])["dead"], 2);
}

#[test]
fn nothing_is_retried_or_deleted_unless_it_is_said_which() {
    let folder = Folder::with_dead_letters();
    assert_eq!(exit(&folder.run(&["dead", "retry", "mail"])), 2);
    assert_eq!(exit(&folder.run(&["dead", "delete", "mail", "--yes"])), 2);
    assert_eq!(exit(&folder.run(&["dead", "retry", "mail", "one", "--all"])), 2);
    assert_eq!(folder.json(&["queue", "show", "mail"])["dead"], 3);
}

#[test]
fn doctor_tells_a_healthy_broker_from_one_that_does_not_work() {
    let folder = Folder::with_dead_letters();
    let healthy = folder.run(&["doctor", "--json"]);
    assert_eq!(exit(&healthy), 0, "{}", stdout(&healthy));
    assert!(stdout(&healthy).contains("\"healthy\": true"));
    std::fs::write(folder.path().join("text.db"), "this is no database, and long enough to tell".repeat(100)).unwrap();
    let ill = folder.run(&["--broker", "sqlite://text.db", "doctor", "--json"]);
    assert_eq!(exit(&ill), 3, "{}", stdout(&ill));
    assert_eq!(stderr(&ill), "");
}

#[test]
fn settings_are_shown_with_their_origins_and_without_passwords() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("celeriac.toml"), "shutdown_timeout = \"9s\"\n").unwrap();
    let mut command = folder.command(&["config", "show", "--log-format", "json", "--json"]);
    command.env("CELERIAC_BROKER_URL", "amqp://me:hunter2@rabbit/");
    let output = command.output().unwrap();
    assert!(!stdout(&output).contains("hunter2"));
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let from = |name: &str| (shown["settings"][name]["value"].clone(), shown["settings"][name]["from"].clone());
    assert_eq!(from("broker_url"), (json!("amqp://me:***@rabbit/"), json!("CELERIAC_BROKER_URL")));
    assert_eq!(from("shutdown_timeout"), (json!("9s"), json!("celeriac.toml:1")));
    assert_eq!(from("log_format"), (json!("json"), json!("--log-format")));
    assert_eq!(from("publish_timeout"), (json!("5s"), json!("default")));
}

#[test]
fn a_setting_that_is_misspelt_stops_every_command_by_name() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("celeriac.toml"), "\nshutdown_timout = \"9s\"\n").unwrap();
    let output = folder.run(&["queue", "list"]);
    assert_eq!(exit(&output), 2);
    assert_eq!(
        stderr(&output),
        "celeriac: celeriac.toml:2: there is no setting \"shutdown_timout\"; did you mean \"shutdown_timeout\"?\n"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = Folder::new();
    let mut command = folder.command(&["completions", "bash"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((exit(&output), stderr(&output).as_str()), (0, ""));
}

#[test]
fn completions_know_the_commands() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&folder.run(&["completions", shell]));
        assert!(script.contains("doctor") && script.contains("purge"), "{shell}");
    }
}
