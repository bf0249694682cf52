//! A process that a test starts, listens to, signals and outlives.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::wait::BOUND;

/// A running process whose lines can be awaited. Killed on drop.
#[derive(Debug)]
pub struct Child {
    process: tokio::process::Child,
    lines: watch::Receiver<Vec<Line>>,
    /// How many lines [`wait_for_line`](Self::wait_for_line) has gone past.
    seen: usize,
    _readers: JoinSet<()>,
}

/// A line that it has printed.
#[derive(Debug)]
struct Line {
    on: Stream,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

impl Child {
    /// Starts `command`, with nothing to read from stdin. It stays in the test's process group, so that it ends with the test
    /// also when the runner kills that.
    pub fn spawn(command: impl Into<Command>) -> Self {
        let mut command = command.into();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let (lines_sender, lines) = watch::channel(Vec::new());
        let lines_sender = Arc::new(lines_sender);
        let mut readers = JoinSet::new();
        readers.spawn(read(Stream::Stdout, process.stdout.take().unwrap(), lines_sender.clone()));
        readers.spawn(read(Stream::Stderr, process.stderr.take().unwrap(), lines_sender));
        Self { process, lines, seen: 0, _readers: readers }
    }

    /// Waits for a line of stdout or stderr that `wanted` accepts, after the one that the previous call returned.
    ///
    /// # Panics
    /// After [`BOUND`], or when the process closed both without it, with everything it printed.
    pub async fn wait_for_line(&mut self, wanted: impl FnMut(&str) -> bool) -> String {
        self.wait_for_line_within(BOUND, wanted).await
    }

    /// The same with a bound of its own.
    pub async fn wait_for_line_within(&mut self, bound: Duration, mut wanted: impl FnMut(&str) -> bool) -> String {
        let seen = &mut self.seen;
        let found = self.lines.wait_for(|lines| {
            let position = lines[*seen..].iter().position(|line| wanted(&line.text));
            *seen = position.map_or(lines.len(), |at| *seen + at + 1);
            position.is_some()
        });
        let missed = match timeout(bound, found).await {
            Ok(Ok(lines)) => return lines[*seen - 1].text.clone(),
            Ok(Err(_)) => "the process closed its output without the line".to_owned(),
            Err(_) => format!("the line did not come within {bound:?}"),
        };
        panic!("{missed}; what came:\n{}", self.output())
    }

    /// Everything it has printed, stdout and stderr as they came.
    pub fn output(&self) -> String {
        self.printed(|_| true)
    }

    /// What it has printed on stdout.
    pub fn stdout(&self) -> String {
        self.printed(|line| line.on == Stream::Stdout)
    }

    fn printed(&self, wanted: impl Fn(&Line) -> bool) -> String {
        let lines = self.lines.borrow();
        lines.iter().filter(|line| wanted(line)).map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id().expect("the process has been waited for")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().cast_signed()), signal).unwrap();
    }

    /// Kills it by SIGKILL, and waits until it is gone.
    pub async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// After [`BOUND`], with everything it printed.
    pub async fn wait(&mut self) -> ExitStatus {
        self.wait_within(BOUND).await
    }

    /// The same with a bound of its own.
    pub async fn wait_within(&mut self, bound: Duration) -> ExitStatus {
        let Ok(status) = timeout(bound, self.process.wait()).await else {
            panic!("the process did not end within {bound:?}; what it printed:\n{}", self.output())
        };
        // Both pipes are read to their end, so that output() is whole; unless a process that this one left behind holds them.
        let mut lines = self.lines.clone();
        let _ = timeout(Duration::from_secs(1), async move { while lines.changed().await.is_ok() {} }).await;
        status.unwrap()
    }
}

async fn read(on: Stream, stream: impl AsyncRead + Unpin, lines: Arc<watch::Sender<Vec<Line>>>) {
    let mut stream = BufReader::new(stream);
    let mut bytes = Vec::new();
    while stream.read_until(b'\n', &mut bytes).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&bytes).trim_end_matches(['\r', '\n']).to_owned();
        lines.send_modify(|lines| lines.push(Line { on, text }));
        bytes.clear();
    }
}
