//! A folder to look into, another to work in, and the program.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{BOUND, Child, binary};

/// A folder to look into, and another to work in.
pub struct Stage {
    folder: TempDir,
    /// Where the broker is; `None`: the default.
    broker: Option<String>,
}

impl Stage {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("files")).unwrap();
        fs::create_dir(folder.path().join("work")).unwrap();
        Self { folder, broker: None }
    }

    pub fn on(broker: String) -> Self {
        Self { broker: Some(broker), ..Self::new() }
    }

    /// With `count` files of which every two are the same.
    pub fn with_pairs(self, count: usize) -> Self {
        for number in 0..count {
            self.write(number.to_string(), format!("{}", number / 2));
        }
        self
    }

    /// The folder that is looked into.
    pub fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }

    /// The folder that the program runs in.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub fn write(&self, name: impl AsRef<Path>, contents: impl AsRef<[u8]>) {
        let path = self.files().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }

    /// `celeriac demo FOLDER ..`
    pub fn demo(&self, folder: &Path, arguments: &[&str]) -> Child {
        let mut command = self.celeriac(&["demo"]);
        command.arg(folder).args(arguments);
        Child::spawn(tokio::process::Command::from(command))
    }

    /// `celeriac ..`, with nothing of the tests' own settings.
    pub fn celeriac(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary("celeriac"));
        command.args(arguments).current_dir(self.work());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("CELERIAC_") || name == "RUST_LOG" {
                command.env_remove(name);
            }
        }
        if let Some(broker) = &self.broker {
            command.env("CELERIAC_BROKER_URL", broker);
        }
        command
    }

    /// Runs it to its end, and returns the report that it prints.
    pub async fn report(&self, arguments: &[&str]) -> Report {
        let mut child = self.demo(&self.files(), &[arguments, &["--json"]].concat());
        let status = child.wait_within(BOUND * 3).await;
        assert!(status.success(), "{status}\n{}", child.output());
        Report::read(&child)
    }

    /// What the program has left in the folder that it runs in, without the broker's files.
    pub fn left_over(&self) -> Vec<String> {
        let names = fs::read_dir(self.work()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.starts_with("celeriac.db")).collect()
    }
}

/// A report as the program printed it.
#[derive(Debug)]
pub struct Report(pub Value);

impl Report {
    /// Reads what a process that has ended printed on stdout: the document and nothing else.
    pub fn read(child: &Child) -> Self {
        let printed = child.stdout();
        Self(serde_json::from_str(&printed).unwrap_or_else(|fault| panic!("{fault}:\n{printed}")))
    }

    pub fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap()
    }

    pub fn failures(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        self.0["failures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|failure| (text(&failure["path"]), text(&failure["error"])))
            .collect()
    }

    pub fn duplicates(&self) -> Vec<Vec<String>> {
        serde_json::from_value(self.0["duplicates"].clone()).unwrap()
    }
}

/// Sets of files, each file by what it is instead of by one of its names: which of several hard links stands for a file
/// is up to the finder.
pub fn identities<P: AsRef<Path>>(sets: &[Vec<P>]) -> BTreeSet<BTreeSet<(u64, u64)>> {
    let identity = |path: &P| {
        let metadata = fs::symlink_metadata(path).unwrap();
        (metadata.dev(), metadata.ino())
    };
    sets.iter().map(|set| set.iter().map(identity).collect()).collect()
}
