//! A folder of its own for every test, and the program in it.

#![allow(dead_code, reason = "shared by the test files, and each uses a part")]

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    time::SystemTime,
};

use celeriac_broker::{
    Broker, Destination, HeaderValue, Headers, Message, Properties, QueueName, Reason, message::names,
};

/// A folder with a broker's file in it.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With three dead letters of the queue `mail`: one and two of `mail.send`, three of `mail.fetch`; one and three
    /// with the error `boom`.
    pub(crate) fn with_dead_letters() -> Self {
        let folder = Self::new();
        for (id, task, error) in
            [("one", "mail.send", "big boom"), ("two", "mail.send", "slow"), ("three", "mail.fetch", "boom")]
        {
            folder.bury(id, task, error);
        }
        folder
    }

    /// One more dead letter of the queue `mail`.
    pub(crate) fn bury(&self, id: &str, task: &str, error: &str) {
        let url = format!("sqlite://{}/celeriac.db", self.path().display());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let broker = Broker::new(&url).unwrap();
            let mail = broker.queue("mail").unwrap();
            broker.transport().declare(&mail).await.unwrap();
            let dead = letter(id, task).dead(Reason::Error, error, &mail.name, SystemTime::now());
            let queue = broker.queue(QueueName::new("mail.dead").unwrap().as_str()).unwrap();
            broker.publish_message(Destination::now(queue), dead).await.unwrap();
            broker.close().await;
        });
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// `celeriac` in this folder, with nothing of the tests' environment that it would read.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.program(Path::new(env!("CARGO_BIN_EXE_celeriac")), arguments)
    }

    pub(crate) fn program(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CELERIAC_") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a command that succeeds prints with `--json`.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn letter(id: &str, task: &str) -> Message {
    let mut properties = Properties::default();
    properties.content_type = Some("application/json".into());
    properties.content_encoding = Some("utf-8".into());
    let mut headers = Headers::default();
    headers.set(names::TASK, task.to_owned());
    headers.set(names::ID, id.to_owned());
    headers.set(names::KWARGSREPR, "{'password': '***'}");
    headers.set(names::TAGS, HeaderValue::List(vec!["company=eu-7".into(), "urgent".into()]));
    Message::new(properties, headers, b"[[], {\"password\": \"hunter2\"}, {}]".to_vec())
}

pub(crate) fn exit(output: &Output) -> i32 {
    output.status.code().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
