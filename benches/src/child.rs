//! Workers in processes of their own: this program, started again.

use std::{
    convert::Infallible,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use celeriac::prelude::*;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{
    Failure,
    noop::{self, Meter, Noop},
    raw::PREFETCH,
};

/// The first word of a child's command line.
pub(crate) const COMMAND: &str = "__worker";

/// Where the two tasks below are published to.
pub(crate) const PACED: &str = "bench.paced";
pub(crate) const TIME_OF_DAY: &str = "bench.time-of-day";

/// Says how long a worker took from one run to the next.
#[task(name = "bench.paced", queue = "bench.paced")]
pub(crate) async fn paced(ctx: Context<Arc<Mutex<Pace>>>) -> Result<(), TaskError> {
    ctx.state().lock().unwrap_or_else(PoisonError::into_inner).tick();
    Ok(())
}

/// How many ran, and the longest time without one.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    count: u64,
    last: Option<Instant>,
    longest: Duration,
}

impl Pace {
    fn tick(&mut self) {
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.longest = self.longest.max(now - last);
        }
        self.count += 1;
    }
}

/// Says at what time of day it started.
#[task(name = "bench.time-of-day", queue = "bench.time-of-day")]
pub(crate) async fn time_of_day(_ctx: Context<()>, number: u32) -> Result<(), TaskError> {
    println!("{number} {}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos());
    Ok(())
}

/// A child's side: `KIND URL`. It works until its standard input ends.
pub(crate) async fn run(words: &[String]) -> Result<(), Failure> {
    let [kind, url] = words else { return Err("KIND URL".into()) };
    match kind.as_str() {
        "pace" => {
            let pace = Arc::new(Mutex::new(Pace::default()));
            let state = pace.clone();
            let worker = Worker::builder()
                .state(move || async move { Ok::<_, Infallible>(state) })
                .register::<Paced>()
                .broker_url(url)
                .pool(PACED, Pool::new(8))
                .build()?;
            println!("ready");
            let mut line = String::new();
            BufReader::new(tokio::io::stdin()).read_line(&mut line).await?;
            worker.run_until(input_ended()).await?;
            let pace = pace.lock().unwrap_or_else(PoisonError::into_inner);
            println!("{} {}", pace.count, pace.longest.as_micros());
        }
        "clock" => {
            let worker = Worker::builder().register::<TimeOfDay>().broker_url(url).pool(TIME_OF_DAY, Pool::new(8));
            worker.build()?.run_until(input_ended()).await?;
        }
        "noop" => {
            let state = Meter::new(u64::MAX);
            let worker = Worker::builder()
                .state(move || async move { Ok::<_, Infallible>(state) })
                .register::<Noop>()
                .broker_url(url)
                .queue(Queue::new(noop::QUEUE)?.classic())
                .pool(noop::QUEUE, Pool::new(PREFETCH));
            worker.build()?.run_until(input_ended()).await?;
        }
        unknown => return Err(format!("no kind {unknown}").into()),
    }
    Ok(())
}

async fn input_ended() {
    let mut rest = Vec::new();
    // A broken pipe is an end too.
    let _ = tokio::io::stdin().read_to_end(&mut rest).await;
}

/// A child, as its parent has it. It is killed when dropped.
pub(crate) struct WorkerProcess {
    child: Child,
    input: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl WorkerProcess {
    pub(crate) fn start(kind: &str, url: &str) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([COMMAND, kind, url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let input = child.stdin.take();
        Ok(Self { child, input, lines: BufReader::new(output).lines() })
    }

    /// Its pid, as `/proc` names it.
    pub(crate) fn pid(&self) -> String {
        self.child.id().unwrap_or_default().to_string()
    }

    /// The next line that it prints, within 30 s.
    pub(crate) async fn line(&mut self) -> Result<String, Failure> {
        let line = tokio::time::timeout(Duration::from_secs(30), self.lines.next_line()).await??;
        line.ok_or_else(|| "a worker process ended early".into())
    }

    /// Lets it go on.
    pub(crate) async fn go(&mut self) -> Result<(), Failure> {
        Ok(self.input.as_mut().ok_or("its input is closed")?.write_all(b"go\n").await?)
    }

    /// Tells it to stop; what it prints until then can still be read.
    pub(crate) fn stop(&mut self) {
        self.input = None;
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self) -> Result<(), Failure> {
        self.stop();
        let status = self.child.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("a worker process: {status}").into()) }
    }
}
