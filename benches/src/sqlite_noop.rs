//! Publishing and running on a file, in one process.

use std::time::Instant;

use celeriac::{Broker, Pool};

use crate::{
    Failure,
    measure::{Settings, interleave, rate},
    noop::{self, Meter},
    row::{Goal, Row},
    sqlite_raw::RawSqlite,
};

pub(crate) async fn run(settings: &Settings) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for synchronous in ["full", "normal"] {
        rows.extend(compare(settings, synchronous).await?);
    }
    Ok(rows)
}

async fn compare(settings: &Settings, synchronous: &'static str) -> Result<Vec<Row>, Failure> {
    let count = settings.operations(64 * 800);
    let count = count - count % 64;
    let blocks = interleave(settings, 2, async |side| {
        let folder = tempfile::tempdir_in(scratch()?)?;
        if side == 0 {
            let path = folder.path().join("ours.db");
            let broker = Broker::new(&format!("sqlite://{}?synchronous={synchronous}", path.display()))?;
            let (meter, begin) = (Meter::new(count), Instant::now());
            let work = noop::work(broker.clone(), Pool::new(128), meter.clone());
            tokio::try_join!(noop::publish(&broker, count), work)?;
            let took = rate(count, meter.took(Some(begin))?);
            broker.close().await;
            return Ok(vec![took, took]);
        }
        let body = noop::message(noop::padding()?)?.body;
        let path = folder.path().join("raw.db");
        let measured = tokio::task::spawn_blocking(move || {
            let raw = RawSqlite::create(&path, synchronous)?;
            let inserted = raw.insert(count, &body)?;
            let run = raw.claim_and_delete()?;
            Ok::<_, Failure>(vec![rate(count, run), rate(count, inserted + run)])
        });
        measured.await?
    })
    .await?;
    let ours = blocks.of(0, 0);
    let row = || Row::alone("sqlite-noop", format!("publish and run, {synchronous}"), "tasks/s", &ours);
    Ok(vec![
        row().against("rusqlite, claim and delete", &ours, &blocks.of(1, 0)).goal(Goal::AtLeast(0.25)),
        row().against("rusqlite, insert, claim and delete", &ours, &blocks.of(1, 1)),
    ])
}

/// A folder on the disk that the program was built on: a temporary folder may be memory, where nothing is ever synchronous.
pub(crate) fn scratch() -> Result<std::path::PathBuf, Failure> {
    let program = std::env::current_exe()?;
    Ok(program.parent().ok_or("the program is in no folder")?.to_owned())
}
