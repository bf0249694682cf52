use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink, net::UnixListener},
    path::Path,
    process::Command,
};

use super::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_can_not_be_read_is_retried_buried_and_named() {
    let stage = Stage::new().with_pairs(4);
    stage.write("lost", "contents");
    let mut producer = stage.demo(&stage.files(), &["--produce-only"]);
    assert!(producer.wait().await.success(), "{}", producer.output());
    // Root reads whatever it likes, so permissions would prove nothing.
    fs::remove_file(stage.files().join("lost")).unwrap();

    let report = stage.report(&[]).await;

    let lost = stage.files().join("lost").to_str().unwrap().to_owned();
    assert_eq!(report.failures(), [(lost, "No such file or directory (os error 2)".to_owned())]);
    assert_eq!((report.number("files"), report.number("attempts")), (5, 4 + 3));
    assert_eq!(report.duplicates().len(), 2);
    let dead = stage.celeriac(&["dead", "list", "digest", "--json"]).output().unwrap();
    let dead: serde_json::Value = serde_json::from_slice(&dead.stdout).unwrap();
    assert_eq!(dead["letters"].as_array().unwrap().len(), 1);
    assert_eq!((&dead["letters"][0]["task"], &dead["letters"][0]["attempts"]), (&"files.digest".into(), &3.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn symlinks_and_special_files_are_left_alone() {
    let stage = Stage::new();
    stage.write("a/file", "x");
    symlink("a/file", stage.files().join("link")).unwrap();
    symlink(".", stage.files().join("a/loop")).unwrap();
    symlink("/nowhere", stage.files().join("dangling")).unwrap();
    assert!(Command::new("mkfifo").arg(stage.files().join("pipe")).status().unwrap().success());
    let _socket = UnixListener::bind(stage.files().join("socket")).unwrap();
    let report = stage.report(&[]).await;
    assert_eq!((report.number("files"), report.duplicates().len(), report.failures().len()), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_utf8_is_read_and_shown_without_a_doubt() {
    let stage = Stage::new();
    for name in [&b"caf\xe9"[..], b"caf\xe8", b"caf\\xe8"] {
        stage.write(OsStr::from_bytes(name), "same");
    }
    let files = stage.files();
    let shown = |name: &str| format!("{}/{name}", files.display());
    let report = stage.report(&[]).await;
    assert_eq!(report.failures(), []);
    assert_eq!(report.duplicates(), [[shown("caf\\\\xe8"), shown("caf\\xe8"), shown("caf\\xe9")]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_not_there_is_wrong_use_and_changes_nothing() {
    let stage = Stage::new();
    stage.write("file", "x");
    for folder in [Path::new("/nowhere/at/all"), &stage.files().join("file")] {
        let mut child = stage.demo(folder, &[]);
        assert_eq!(child.wait().await.code(), Some(2));
        assert!(child.output().starts_with("celeriac: can't look into "), "{}", child.output());
        assert_eq!(child.output().lines().count(), 1);
    }
    assert_eq!(fs::read_dir(stage.work()).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_folder_has_an_empty_report() {
    let report = Stage::new().report(&[]).await;
    assert_eq!((report.number("files"), report.number("bytes"), report.number("attempts")), (0, 0, 0));
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_two_gigabytes_costs_no_memory() {
    let stage = Stage::new();
    stage.write("large", "");
    fs::File::options().write(true).open(stage.files().join("large")).unwrap().set_len(2 << 30).unwrap();
    let mut child = stage.demo(&stage.files(), &[]);
    let status = format!("/proc/{}/status", child.pid());
    let mut peak = 0;
    let ended = crate::support::eventually(crate::support::BOUND * 3, || {
        let now = fs::read_to_string(&status).unwrap_or_default();
        let line = now.lines().find(|line| line.starts_with("VmHWM"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kib| kib.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0));
        // A process that has ended, and was not waited for, has no memory.
        async move { kib.is_none().then_some(()) }
    });
    ended.await;
    assert!(child.wait().await.success(), "{}", child.output());
    assert!(child.output().contains("1 file, 2.0 GiB"), "{}", child.output());
    assert!((1..64 * 1024).contains(&peak), "{peak} KiB");
}
