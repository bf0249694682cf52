//! A worker that runs in this process and serves its metrics, and a client that reads them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use celeriac::{Broker, Locks, Worker, WorkerBuilder, prelude::*};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

use crate::support::{BOUND, binary, eventually, eventually_ok};

/// Ends as it is told.
#[task(name = "seen.end", queue = "seen", retry(max_attempts = 2, backoff = "10ms..10ms", jitter = none))]
pub(super) async fn end(ctx: Context<()>, how: String) -> Result<(), TaskError> {
    match how.as_str() {
        "retried" if ctx.attempt() == 1 => Err(TaskError::new("once")),
        "well" | "retried" => Ok(()),
        "permanent" => Err(TaskError::permanent(TaskError::new("never"))),
        _ => std::future::pending().await,
    }
}

/// Holds a mutex and a permit for a moment.
#[task(name = "seen.hold", queue = "seen", mutex("door"), semaphore("seats", leases = 3))]
pub(super) async fn hold(_ctx: Context<()>, millis: u64) -> Result<(), TaskError> {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    Ok(())
}

/// A worker of both tasks.
pub(super) fn builder(broker: Broker, queue: &str) -> WorkerBuilder {
    Worker::builder().broker(broker).register::<End>().register::<Hold>().only_queues([queue]).concurrency(4)
}

pub(super) fn end_of(how: &str) -> End {
    End { how: how.to_owned() }
}

pub(super) fn hold_for(millis: u64) -> Hold {
    Hold { millis }
}

pub(super) fn memory_locks() -> Locks {
    Locks::from_url("memory://").unwrap()
}

/// A worker that runs until this is ended or dropped.
pub(super) struct Running {
    pub(super) address: String,
    stop: Option<oneshot::Sender<()>>,
    worker: JoinHandle<()>,
}

impl Running {
    pub(super) fn start(builder: WorkerBuilder) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let worker = builder.metrics_addr(&address).shutdown_timeout(Duration::ZERO).build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = worker.run_until(async { drop(stopped.await) });
        let worker = tokio::spawn(async { drop(running.await.unwrap()) });
        Self { address, stop: Some(stop), worker }
    }

    /// Status and body.
    pub(super) async fn get(&self, path: &str) -> (u16, String) {
        let mut stream = eventually(BOUND, || async { TcpStream::connect(&self.address).await.ok() }).await;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    pub(super) async fn scrape(&self) -> Scrape {
        let (status, text) = self.get("/metrics").await;
        assert_eq!(status, 200, "{text}");
        Scrape(text)
    }

    /// Waits until a scrape shows what is wanted.
    pub(super) async fn until(&self, wanted: impl Fn(&Scrape) -> bool) -> Scrape {
        let wanted = &wanted;
        eventually_ok(BOUND, || async move {
            let scrape = self.scrape().await;
            if wanted(&scrape) { Ok(scrape) } else { Err(scrape.0) }
        })
        .await
    }

    /// Waits until a probe answers with `status`, and returns its body.
    pub(super) async fn probe(&self, path: &str, status: u16) -> String {
        eventually_ok(BOUND, || async {
            let (came, body) = self.get(path).await;
            if came == status { Ok(body) } else { Err(format!("{path} answers {came}: {body}")) }
        })
        .await
    }

    pub(super) async fn end(mut self) {
        drop(self.stop.take());
        (&mut self.worker).await.unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

/// What `celeriac check worker` says: its exit code, and how its line goes on.
pub(super) async fn assert_check(running: &Running, exit: i32, text: &str) {
    let mut check = tokio::process::Command::new(binary("celeriac"));
    let output = check.args(["check", "worker", "--addr", &running.address]).output().await.unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(exit), "{line}");
    let state = ["OK", "WARNING", "CRITICAL"][usize::try_from(exit).unwrap()];
    assert!(line.starts_with(&format!("WORKER {state} - {}: {text}", running.address)), "{line}");
}

/// The text of a scrape.
pub(super) struct Scrape(pub(super) String);

impl Scrape {
    /// The value of the line that begins with `series`, labels in their order.
    pub(super) fn value(&self, series: &str) -> Option<f64> {
        let value = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
        self.0.lines().find_map(value)
    }

    #[track_caller]
    pub(super) fn assert(&self, series: &str, value: f64) {
        assert_eq!(self.value(series), Some(value), "{series} in:\n{}", self.0);
    }

    /// Every metric with its type.
    pub(super) fn metrics(&self) -> BTreeMap<&str, &str> {
        self.0.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')).collect()
    }

    /// The labels of a metric, but for the bounds of its buckets.
    pub(super) fn labels(&self, metric: &str) -> BTreeSet<&str> {
        let mut labels = BTreeSet::new();
        for line in self.0.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, rest)) = line.split_once('{') else { continue };
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
            if name != metric && base != Some(metric) {
                continue;
            }
            labels.extend(rest.split("\",").filter_map(|pair| Some(pair.split_once("=\"")?.0)));
        }
        labels.remove("le");
        labels
    }
}

/// What docs/metrics.md lists: by name the type and the labels.
pub(super) fn documented() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let text = include_str!("../../docs/metrics.md");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, kind, labels, unit, advice, _] = cells.as_slice() else { return None };
        let name = name.strip_prefix("`celeriac_")?.strip_suffix('`')?;
        assert!(!unit.is_empty() && advice.len() > 20, "{name} says what to do");
        let labels =
            labels.split(' ').map(|label| label.trim_matches('`').to_owned()).filter(|label| !label.is_empty());
        Some((format!("celeriac_{name}"), ((*kind).to_owned(), labels.collect())))
    };
    let all: BTreeMap<_, _> = text.lines().filter_map(row).collect();
    assert!(all.len() > 30, "the tables are read");
    all
}

/// Compares a scrape with the list, in both directions, without those that cannot be known here.
#[track_caller]
pub(super) fn assert_documented(scrape: &Scrape, absent: &[&str]) {
    let (seen, listed) = (scrape.metrics(), documented());
    for (name, kind) in &seen {
        let (documented, labels) =
            listed.get(*name).unwrap_or_else(|| panic!("{name} is in no table of docs/metrics.md"));
        assert_eq!(documented, kind, "{name}");
        let shown: BTreeSet<String> = scrape.labels(name).into_iter().map(str::to_owned).collect();
        assert_eq!(labels, &shown, "{name}");
    }
    let missing: Vec<&str> = listed.keys().map(String::as_str).filter(|name| !seen.contains_key(name)).collect();
    assert_eq!(missing, absent, "listed, and not in a scrape");
}
