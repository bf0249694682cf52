//! The night's tasks. Which leases a run must hold stands above it; what they do when a lock is busy, when a worker dies and when
//! a lease is lost is the worker's business.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use celeriac::prelude::*;

use crate::{
    dealer::ask,
    feed::Vehicles,
    journal::{Event, Journal},
    store::Store,
};

/// How many calls at once a dealer's system bears, whoever makes them.
pub(crate) const LEASES: u32 = 3;

/// How many rows are read between two looks at whether the run should stop.
const ROWS_BETWEEN_LOOKS: usize = 1_000;

/// What runs share: built once per worker.
#[derive(Debug)]
pub(crate) struct Company {
    pub(crate) dealers: HashMap<String, SocketAddr>,
    pub(crate) rows: Store,
    pub(crate) inventories: Store,
    pub(crate) exports: Store,
    pub(crate) journal: Journal,
}

impl Company {
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let dealers = std::fs::read(folder.join("dealers.json"))?;
        Ok(Self {
            dealers: serde_json::from_slice(&dealers)?,
            rows: Store::at(folder.join("rows"))?,
            inventories: Store::at(folder.join("inventories"))?,
            exports: Store::at(folder.join("exports"))?,
            journal: Journal::open(&folder.join("journal"))?,
        })
    }

    async fn ask(&self, dealer: &str, what: &str) -> Result<String, TaskError> {
        let unknown = || TaskError::permanent(TaskError::new(format!("there is no dealer {dealer}")));
        let address = self.dealers.get(dealer).ok_or_else(unknown)?;
        match ask(*address, what).await? {
            (200, answer) => Ok(answer),
            (429, _) => {
                Err(TaskError::retry_after(TaskError::new(format!("we hammer {dealer}")), Duration::from_secs(1)))
            }
            (status, _) => Err(TaskError::new(format!("{dealer} answers {status}"))),
        }
    }
}

/// Reads a file that a dealer has left, and asks the dealer's system for what the file does not say.
///
/// The semaphore has a name, so imports and inventories of one dealer share its leases.
#[task(
    name = "dealers.import_data",
    queue = "dealers.imports",
    semaphore("dms", key = dealer, leases = LEASES),
    time_limit = "30m"
)]
pub(crate) async fn import_data(ctx: Context<Company>, file: PathBuf, dealer: String) -> Result<(), TaskError> {
    ctx.state().ask(&dealer, "prices").await?;
    let run = ctx.clone();
    tokio::task::spawn_blocking(move || import(&run, &file)).await??;
    Ok(ctx.state().journal.write(Event::Done, &ctx)?)
}

fn import(ctx: &Context<Company>, file: &Path) -> Result<(), TaskError> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let mut draft = ctx.state().rows.draft(&name)?;
    for (row, vehicle) in Vehicles::open(file)?.enumerate() {
        draft.line(&vehicle?)?;
        // A thread can't be dropped as a future can: it has to look.
        if row % ROWS_BETWEEN_LOOKS == 0 {
            if ctx.is_cancelled() {
                return Err(TaskError::new("the run was asked to stop"));
            }
            ctx.lease("dms")?.ensure_valid()?;
        }
    }
    Ok(draft.finish()?)
}

/// Asks a dealer's system what is in stock now.
#[task(
    name = "dealers.fetch_inventory",
    queue = "dealers.inventories",
    semaphore("dms", key = dealer, leases = LEASES),
    time_limit = "1m"
)]
pub(crate) async fn fetch_inventory(ctx: Context<Company>, dealer: String) -> Result<(), TaskError> {
    let stock = ctx.state().ask(&dealer, "inventory").await?;
    let mut draft = ctx.state().inventories.draft(&dealer)?;
    draft.line(&stock)?;
    draft.finish()?;
    Ok(ctx.state().journal.write(Event::Done, &ctx)?)
}

/// Builds what is sent to a portal. It is asked for twice: of two runs at the same time one waits for the other, and then finds
/// that there is nothing left to do.
#[task(
    name = "dealers.build_exports",
    queue = "dealers.exports",
    mutex(schedule_id),
    check = is_missing,
    time_limit = "1m"
)]
pub(crate) async fn build_exports(ctx: Context<Company>, schedule_id: u32) -> Result<(), TaskError> {
    let mut draft = ctx.state().exports.draft(&schedule_id.to_string())?;
    for feed in ctx.state().rows.names()? {
        draft.line(&feed)?;
    }
    // The portal's rules take their time.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let event = if draft.finish_first()? { Event::Done } else { Event::InVain };
    Ok(ctx.state().journal.write(event, &ctx)?)
}

/// Asked when the mutex is held, so that nobody builds the export between the answer and the run.
async fn is_missing(export: &BuildExports, ctx: &Context<Company>) -> Result<Check, TaskError> {
    let export = ctx.state().exports.path(&export.schedule_id.to_string());
    if !tokio::fs::try_exists(export).await? {
        return Ok(Check::Run);
    }
    ctx.state().journal.write(Event::Skipped, ctx)?;
    Ok(Check::skip("it is there already"))
}

/// The one who would hurt the others: it awaits nothing, and takes a core for as long as it runs. In a queue of its own it blocks
/// threads of its own only, and one run at a time in the whole fleet leaves the other cores alone.
#[task(name = "dealers.recompress", queue = "dealers.hog", mutex, time_limit = "20s")]
pub(crate) async fn recompress(ctx: Context<Company>, photos: u32) -> Result<(), TaskError> {
    let mut quality = 0_u32;
    for _ in 0..photos {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(100) {
            quality = std::hint::black_box(quality.wrapping_mul(31).wrapping_add(7));
        }
    }
    Ok(ctx.state().journal.write(Event::Done, &ctx)?)
}
