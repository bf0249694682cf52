use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use super::stage::{Stage, identities};
use crate::support::amqp_url;

/// The sets that jdupes finds.
fn jdupes(folder: &Path) -> Vec<Vec<PathBuf>> {
    let output = Command::new("jdupes").args(["--recurse", "--quiet"]).arg(folder).output();
    let output = output.expect("this test needs jdupes: apt-get install jdupes, brew install jdupes");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.split("\n\n")
        .map(|set| set.lines().map(PathBuf::from).collect())
        .filter(|set: &Vec<_>| !set.is_empty())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_is_that_of_an_independent_finder_on_a_real_tree() {
    let stage = Stage::new();
    // The project itself, with all its kinds of files.
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["broker", "worker", "docs", "tests"] {
        copy(&tree.join(folder), &stage.files().join("once").join(folder));
    }
    copy(&tree.join("broker"), &stage.files().join("again/broker"));
    fs::hard_link(stage.files().join("once/broker/Cargo.toml"), stage.files().join("hard-link")).unwrap();
    symlink("once", stage.files().join("symlink-to-a-folder")).unwrap();
    symlink("hard-link", stage.files().join("symlink-to-a-file")).unwrap();
    stage.write(".hidden/empty", "");
    stage.write(".hidden/empty-too", "");

    let report = stage.report(&[]).await;

    let expected = jdupes(&stage.files());
    assert!(expected.len() > 10, "the tree has duplicates");
    assert_eq!(identities(&report.duplicates()), identities(&expected));
    let every: Vec<PathBuf> = files(&stage.files());
    assert_eq!(report.number("files"), every.len() as u64);
    assert_eq!(report.number("bytes"), every.iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>());
    // jdupes may list two links to one file, which waste nothing.
    let files_in = |set: &Vec<PathBuf>| identities(std::slice::from_ref(set)).first().unwrap().len() as u64;
    let wasted = |set: &Vec<PathBuf>| fs::metadata(&set[0]).unwrap().len() * (files_in(set) - 1);
    assert_eq!(report.number("wasted_bytes"), expected.iter().map(wasted).sum::<u64>());
    assert_eq!(report.number("attempts"), report.number("files"));
    assert_eq!(report.failures(), []);
    assert_eq!(stage.left_over(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_runs_through_rabbitmq() {
    let stage = Stage::on(amqp_url()).with_pairs(600);
    let report = stage.report(&[]).await;
    assert_eq!((report.number("files"), report.duplicates().len()), (600, 300));
    assert_eq!(identities(&report.duplicates()), identities(&jdupes(&stage.files())));
    assert!(!stage.work().join("celeriac.db").exists());
    assert_eq!(stage.left_over(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_and_their_files_are_in_order_and_named_as_the_folder_was() {
    let stage = Stage::new();
    for (name, contents) in [("z", "1"), ("b/x", "22"), ("a", "22"), ("m", "1"), ("c", "22"), ("alone", "333")] {
        stage.write(name, contents);
    }
    let files = stage.files();
    let named =
        |names: &[&str]| names.iter().map(|name| files.join(name).to_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(stage.report(&[]).await.duplicates(), [named(&["a", "b/x", "c"]), named(&["m", "z"])]);
    let mut child = stage.demo(Path::new("../files"), &[]);
    assert!(child.wait().await.success());
    assert!(child.output().contains("\n  ../files/b/x\n"), "{}", child.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_s_own_files_are_not_looked_at() {
    let stage = Stage::new();
    fs::write(stage.work().join("mine"), "x").unwrap();
    let report = stage.demo(Path::new("."), &["--json"]);
    let report = finished(report).await;
    assert_eq!(report.number("files"), 1);
}

async fn finished(mut child: crate::support::Child) -> super::stage::Report {
    assert!(child.wait().await.success(), "{}", child.output());
    super::stage::Report::read(&child)
}

/// Every regular file under `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
