//! Leases in a file, against one transaction each way.

use std::time::Instant;

use celeriac::mutex::Locks;
use rusqlite::{Connection, Statement};

use crate::{
    Failure,
    measure::{Settings, interleave},
    row::{Goal, Row},
};

const BENCH: &str = "lock-sqlite";

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let count = settings.operations(5_000);
    let place = tempfile::tempdir()?;
    let locks = Locks::from_url(&format!("sqlite://{}", place.path().join("ours.db").display()))?;
    let raw = Connection::open(place.path().join("raw.db"))?;
    raw.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE lock (key TEXT PRIMARY KEY, id TEXT, ends INTEGER) WITHOUT ROWID;",
    )?;
    locks.mutex("warm").lock().await?.release().await?;

    let mut take = raw.prepare("INSERT INTO lock VALUES ('free', 'me', 1) ON CONFLICT DO NOTHING")?;
    let mut give = raw.prepare("DELETE FROM lock WHERE key = 'free' AND id = 'me'")?;
    let blocks = interleave(settings, 2, async |side| {
        let begin = Instant::now();
        if side == 0 {
            let mutex = locks.mutex("free");
            for _ in 0..count {
                mutex.lock().await?.release().await?;
            }
        } else {
            for _ in 0..count {
                transaction(&raw, &mut take)?;
                transaction(&raw, &mut give)?;
            }
        }
        #[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let each = begin.elapsed().as_secs_f64() * 1e6 / count as f64;
        Ok(vec![each])
    })
    .await?;
    locks.close().await;
    let ours = blocks.of(0, 0);
    let row = Row::alone(BENCH, "mutex in a file, take and release", "us/pair", &ours);
    Ok(vec![row.against("rusqlite, one BEGIN IMMEDIATE each way", &ours, &blocks.of(1, 0)).goal(Goal::AtMost(1.5))])
}

fn transaction(raw: &Connection, statement: &mut Statement<'_>) -> Result<(), Failure> {
    raw.execute_batch("BEGIN IMMEDIATE")?;
    statement.execute([])?;
    raw.execute_batch("COMMIT")?;
    Ok(())
}
