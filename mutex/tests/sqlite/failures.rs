use std::{
    fs::{self, File},
    path::Path,
    time::{Duration, Instant},
};

use celeriac_mutex::{
    Error, Locks, SqliteStore,
    conformance::steps::{eventually, soon},
    store::{Answer, LeaseStore},
};

use super::{
    child::Process,
    support::{Folder, ask},
};

/// The text of a refusal, which must come soon.
async fn refused(locks: &Locks) -> String {
    match soon(locks.mutex("m").try_lock()).await {
        Err(error @ Error::Refused { .. }) => error.to_string(),
        other => panic!("it was to be refused, and it is {other:?}"),
    }
}

#[tokio::test]
async fn nothing_is_made_before_the_first_use_and_a_closed_file_stands_alone() {
    let folder = Folder::new();
    let locks = folder.open();
    assert!(!folder.file().exists() && !folder.beside("-locks").exists());
    drop(locks.mutex("m").lock().await.unwrap());
    locks.close().await;
    assert!(folder.file().exists() && !folder.beside("-wal").exists(), "the write-ahead log is folded into the file");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let folder = Folder::new();
    fs::write(folder.file(), "dear diary, ".repeat(500)).unwrap();
    let text = refused(&folder.open()).await;
    assert!(text.contains("not a database") && text.contains("name another one"), "{text}");
    assert!(fs::read_to_string(folder.file()).unwrap().starts_with("dear diary"));
}

#[tokio::test]
async fn a_missing_folder_is_named_with_the_fix() {
    let locks = Locks::from_url("sqlite:///no/such/folder/locks.db").unwrap();
    let text = refused(&locks).await;
    assert!(text.contains("/no/such/folder") && text.contains("create it"), "{text}");
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_place_where_nothing_can_be_written_is_refused() {
    let text = refused(&Locks::from_url("sqlite:///proc/self/locks.db").unwrap()).await;
    assert!(text.contains("must be able to write"), "{text}");
}

#[tokio::test]
async fn a_newer_file_is_refused_and_used_again_when_the_fault_is_mended() {
    let folder = Folder::new();
    drop(folder.open().mutex("m").lock().await.unwrap());
    let file = rusqlite::Connection::open(folder.file()).unwrap();
    file.execute("UPDATE celeriac_version SET version = 99", []).unwrap();
    let locks = folder.open();
    let text = refused(&locks).await;
    assert!(text.contains("version 99") && text.contains("update this program"), "{text}");
    file.execute("UPDATE celeriac_version SET version = 1", []).unwrap();
    drop(soon(locks.mutex("m").lock()).await.unwrap());
}

#[tokio::test]
async fn a_stuck_process_is_named_in_bounded_time_and_nothing_is_held_later() {
    let folder = Folder::new();
    let locks = folder.open();
    let guard = locks.mutex("held").lock().await.unwrap();
    let lock = File::open(folder.beside("-lock")).unwrap();
    lock.lock().unwrap();
    let asked = Instant::now();
    let Err(Error::Unavailable { message, .. }) = locks.mutex("m").try_lock().await else { panic!("it was granted") };
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(message.contains("-lock") && message.contains(&std::process::id().to_string()), "{message}");
    // Given back while nobody can write.
    drop(guard);
    lock.unlock().unwrap();
    let other = folder.open();
    for name in ["held", "m"] {
        drop(soon(other.mutex(name).lock()).await.unwrap());
    }
}

#[tokio::test]
async fn a_lease_that_could_not_be_given_back_is_given_back_later() {
    let folder = Folder::new();
    let locks = folder.open();
    let (store, ask) = (SqliteStore::new(folder.file()), ask());
    assert!(matches!(store.acquire(&ask).await.unwrap(), Answer::Granted(_)));
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let asked = Instant::now();
    assert!(store.release(&ask.key, &ask.lease, &ask.process).await.is_err_and(|error| error.is_transient()));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    // Answered when what was asked before has failed.
    eventually(|| async { store.inspect(&ask.key).await.ok() }).await;
    other.execute_batch("COMMIT").unwrap();
    drop(soon(locks.mutex("m").lock()).await.unwrap());
}

#[tokio::test]
async fn another_program_may_write_the_file_briefly() {
    let folder = Folder::new();
    let locks = folder.open();
    drop(locks.mutex("m").lock().await.unwrap());
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; CREATE TABLE foreign_table (x)").unwrap();
    let mutex = locks.mutex("m");
    let locking = tokio::spawn(async move { mutex.lock().await.map(drop) });
    tokio::task::yield_now().await;
    other.execute_batch("COMMIT").unwrap();
    soon(locking).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_holder_outlives_the_removal_of_the_file() {
    let folder = Folder::new();
    let (locks, other) = (folder.open(), folder.open());
    let guard = locks.mutex("m").lock().await.unwrap();
    drop(other.mutex("elsewhere").lock().await.unwrap());
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(folder.beside(suffix)).unwrap();
    }
    // Whoever comes first finds no lease, and gets none either: its holder has two seconds to say so.
    let newcomer = folder.open();
    let granted = newcomer.mutex("m").lock_timeout(Duration::from_secs(4)).await.unwrap();
    assert!(granted.is_none());
    assert!(other.mutex("m").try_lock().await.unwrap().is_none());
    guard.ensure_valid().unwrap();
    let before = guard.fencing_token();
    guard.release().await.unwrap();
    assert!(soon(other.mutex("m").lock()).await.unwrap().fencing_token() > before);
}

#[tokio::test]
async fn a_sign_of_life_that_somebody_removes_is_given_again() {
    let folder = Folder::new();
    let locks = folder.open();
    let guard = locks.mutex("m").lock().await.unwrap();
    let sign = || fs::read_dir(folder.beside("-locks")).unwrap().next();
    fs::remove_file(sign().unwrap().unwrap().path()).unwrap();
    eventually(|| async { sign() }).await.unwrap();
    assert!(folder.open().mutex("m").try_lock().await.unwrap().is_none());
    guard.ensure_valid().unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_grow_is_an_error_in_bounded_time_and_loses_nothing() {
    let folder = Folder::new();
    drop(folder.open().mutex("before").lock().await.unwrap());
    // 512 blocks of 1 kB or less, and no signal for going beyond.
    let mut process = Process::start_limited("fill", &folder.url(), "trap '' XFSZ; ulimit -f 512");
    let said = process.says().await;
    let mut words = said.splitn(3, ' ');
    let (held, transient, error) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
    let held: usize = held.parse().unwrap();
    assert!(held > 10 && transient == "true" && error.contains("locks.db"), "{said}");
    let locks = folder.open();
    assert_eq!(locks.list(100_000).await.unwrap().len(), held);
    process.kill();
    for number in 0..held {
        let mutex = locks.mutex("m").key(("x".repeat(500), number));
        assert!(soon(mutex.try_lock()).await.unwrap().is_some(), "{number}");
    }
}

#[tokio::test]
async fn a_url_that_names_no_file_is_refused_before_any_use() {
    for url in ["sqlite://", "sqlite://folder/", "sqlite://user:secret@file.db", "sqlite://a.db?timeout=5s"] {
        let Err(Error::Invalid(text)) = Locks::from_url(url) else { panic!("{url}") };
        assert!(!text.contains("secret"), "{text}");
    }
    assert!(!Path::new("file.db").exists());
}
