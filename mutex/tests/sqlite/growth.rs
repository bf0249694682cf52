use std::{fs, time::Duration};

use celeriac_mutex::{
    Kind, LockKey, SqliteStore,
    store::{Answer, Ask, LeaseId, LeaseStore, ProcessId, Spend, Spent},
};
use tokio::{runtime::Handle, sync::mpsc};

use super::support::{Folder, ask};

/// Takes and gives back `count` locks of `name` that nobody has taken before, and spends from as many limits.
async fn come_and_go(folder: &Folder, name: &str, count: u64) {
    let store = SqliteStore::new(folder.file());
    let process = ProcessId::random();
    let (hints, _heard) = mpsc::channel(16);
    store.open(&process, &Handle::current(), hints);
    let one = async |number: u64| {
        let ask = Ask {
            key: LockKey::new(Kind::Mutex, name).part(&number.to_string()),
            lease: LeaseId::numbered(&process, number),
            process: process.clone(),
            ..ask()
        };
        assert!(matches!(store.acquire(&ask).await.unwrap(), Answer::Granted(_)));
        assert!(store.release(&ask.key, &ask.lease, &process).await.unwrap().found);
        let key = LockKey::new(Kind::Rate, name).part(&number.to_string());
        let spend = Spend { key, rate: "10/s".parse().unwrap(), cost: 1, horizon: Duration::ZERO };
        assert_eq!(store.spend(&spend).await.unwrap(), Spent::Now);
    };
    let numbers: Vec<u64> = (0..count).collect();
    for some in numbers.chunks(250) {
        futures_util::future::join_all(some.iter().map(|number| one(*number))).await;
    }
    store.close(&process).await;
}

fn rows(folder: &Folder, table: &str) -> u64 {
    let file = rusqlite::Connection::open(folder.file()).unwrap();
    let count: i64 = file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
    count.try_into().unwrap()
}

#[tokio::test]
async fn locks_that_nobody_uses_make_room_for_others() {
    const COUNT: u64 = 10_000;
    let folder = Folder::new();
    come_and_go(&folder, "first", COUNT).await;
    assert_eq!(rows(&folder, "celeriac_lock"), COUNT, "they are remembered for an hour");
    let size = fs::metadata(folder.file()).unwrap().len();
    for name in ["second", "third"] {
        let file = rusqlite::Connection::open(folder.file()).unwrap();
        file.execute("UPDATE celeriac_lock_clock SET ahead = ahead + 7200000000", []).unwrap();
        drop(file);
        come_and_go(&folder, name, COUNT).await;
        assert_eq!(rows(&folder, "celeriac_lock"), COUNT);
    }
    assert!(rows(&folder, "celeriac_rate") <= COUNT + 1000);
    let grown = fs::metadata(folder.file()).unwrap().len();
    assert!(grown < size * 2, "{size} bytes have become {grown}");
}
