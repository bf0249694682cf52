//! The producer: walks the folder and publishes a task for each file.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use celeriac_broker::{Broker, message::Bytes};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    path,
    place::{Place, report_queue},
    tasks::{Digest, Failed, Walked},
    walk::{Found, walk},
};
use crate::Error;

/// The state file.
pub(super) const WALK: &str = "walk.json";

/// Files published between two notes of how far the walk has come.
const BATCH: usize = 512;

/// How far the walk has come. Every path up to `last` is published.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Walk {
    last: Option<Bytes>,
    paths: u64,
    started: u64,
    done: bool,
}

/// Publishes what is left to publish, until done or told to stop. `published` counts along.
pub(super) async fn produce(
    place: &Place,
    broker: &Broker,
    published: &AtomicU64,
    stop: &CancellationToken,
) -> Result<(), Error> {
    let mut walk = place.load::<Walk>(WALK)?.unwrap_or_else(|| Walk { started: now(), ..Walk::default() });
    published.store(walk.paths, Ordering::Relaxed);
    if walk.done {
        return Ok(());
    }
    let mut batches = batches(place.clone(), walk.last.as_ref().map(path::path), stop.clone());
    while let Some(batch) = batches.recv().await {
        let Some(last) = batch.last().map(|found| path::bytes(found.path())) else { continue };
        let many = batch.len() as u64;
        publish(place, broker, batch).await?;
        walk.last = Some(last);
        walk.paths += many;
        place.save(WALK, &walk)?;
        published.store(walk.paths, Ordering::Relaxed);
    }
    if stop.is_cancelled() {
        return Ok(());
    }
    let walked = Walked { paths: walk.paths, started: walk.started };
    let sent = broker.message(walked).queue(report_queue(&place.run)).publish().await;
    sent.map_err(Error::broker("can't publish the end of the walk"))?;
    walk.done = true;
    place.save(WALK, &walk)
}

/// Walks on a thread that may block, a few batches ahead at most.
fn batches(place: Place, last: Option<PathBuf>, stop: CancellationToken) -> mpsc::Receiver<Vec<Found>> {
    let (batches, receiver) = mpsc::channel(4);
    // It ends with the walk, or when nobody receives any more.
    drop(tokio::task::spawn_blocking(move || {
        let mut batch = Vec::with_capacity(BATCH);
        for found in walk(&place, last) {
            if stop.is_cancelled() {
                return;
            }
            batch.push(found);
            if batch.len() == BATCH && batches.blocking_send(std::mem::take(&mut batch)).is_err() {
                return;
            }
        }
        // Where nobody receives any more, nobody misses it.
        let _ = batches.blocking_send(batch);
    }));
    receiver
}

async fn publish(place: &Place, broker: &Broker, batch: Vec<Found>) -> Result<(), Error> {
    let failing = || format!("can't publish the files under {}", place.shown(&place.dir).display());
    let mut files = Vec::with_capacity(batch.len());
    for found in batch {
        match found {
            Found::File(file) => files.push(Digest { run: place.run.clone(), path: path::bytes(&file) }),
            Found::Unreadable(folder, error) => {
                let failed = Failed { path: path::bytes(&folder), error, attempts: 0 };
                let sent = broker.message(failed).queue(report_queue(&place.run)).publish().await;
                sent.map_err(Error::broker(failing()))?;
            }
        }
    }
    for sent in broker.publish_all(files).await {
        sent.map_err(Error::broker(failing()))?;
    }
    Ok(())
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
