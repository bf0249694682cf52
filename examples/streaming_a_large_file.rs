//! A task carries a reference to its data, here a path, and reads the data itself: line by line through one buffer, so that a
//! file of any size takes the same memory. Blocking reads stand in `spawn_blocking`, which asks now and then whether to stop.
//!
//! Run: `cargo run --example streaming_a_large_file`, with another size in MiB: `-- 2048`
//!
//! It writes a file of 256 MiB to the temporary folder, reads it, and deletes it. It prints
//!
//! ```text
//! the message for a file of 256 MiB has a body of 114 bytes
//! read 256 MiB: 1048576 readings, mean 488.9
//! peak memory of this process: 15 MiB
//! ```

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

use celeriac::prelude::*;

/// How much is read at once.
const BUFFER: usize = 256 * 1024;

/// How many lines are read between two looks at whether the run should stop.
const LINES_BETWEEN_LOOKS: u64 = 10_000;

const READINGS_PER_MIB: u64 = 4096;

#[task(name = "readings.average", queue = "readings", soft_time_limit = "5m", time_limit = "6m")]
async fn average(ctx: Context<()>, file: PathBuf) -> Result<f64, TaskError> {
    let totals = tokio::task::spawn_blocking(move || read(&ctx, &file)).await??;
    println!("read {} MiB: {} readings, mean {:.1}", totals.bytes >> 20, totals.readings, totals.mean());
    Ok(totals.mean())
}

#[derive(Default)]
struct Totals {
    bytes: u64,
    readings: u64,
    sum: u64,
}

impl Totals {
    #[expect(clippy::cast_precision_loss, reason = "a mean for people")]
    fn mean(&self) -> f64 {
        self.sum as f64 / self.readings as f64
    }
}

fn read(ctx: &Context<()>, file: &Path) -> io::Result<Totals> {
    let mut reader = BufReader::with_capacity(BUFFER, File::open(file)?);
    let mut totals = Totals::default();
    // One buffer for all lines. `reader.lines()` would take a new one for each.
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let reading = line.split_whitespace().next().unwrap_or_default();
        totals.sum += reading.parse::<u64>().map_err(io::Error::other)?;
        totals.readings += 1;
        totals.bytes += line.len() as u64;
        line.clear();
        // A thread can't be dropped as a future can: it has to look.
        if totals.readings.is_multiple_of(LINES_BETWEEN_LOOKS) && ctx.is_cancelled() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the run was asked to stop"));
        }
    }
    Ok(totals)
}

/// Lines of 256 bytes: a reading, then a comment.
fn write(file: &Path, mebibytes: u64) -> io::Result<()> {
    let mut block = Vec::new();
    for reading in 0..READINGS_PER_MIB {
        writeln!(block, "{:<255}", format!("{} from sensor {}", reading % 1000, reading % 7))?;
    }
    let mut writer = BufWriter::new(File::create(file)?);
    for _ in 0..mebibytes {
        writer.write_all(&block)?;
    }
    writer.flush()
}

/// The most memory that this process ever had, where the system tells.
fn peak_mebibytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?;
    Some(kibibytes.parse::<u64>().ok()?.div_ceil(1024))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mebibytes = std::env::args().nth(1).map_or(Ok(256), |size| size.parse::<u64>())?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("readings.txt");
    write(&file, mebibytes)?;

    let broker = Broker::from_env()?;
    let (_, message) = broker.message(Average { file: file.clone() }).build()?;
    println!("the message for a file of {mebibytes} MiB has a body of {} bytes", message.body.len());
    broker.publish(Average { file }).await?;

    Worker::builder().register::<Average>().pool("readings", Pool::new(1)).build()?.run_until_idle().await?;
    match peak_mebibytes() {
        Some(peak) => println!("peak memory of this process: {peak} MiB"),
        None => println!("peak memory of this process: unknown on this system"),
    }
    Ok(())
}
