use std::sync::Arc;

use axum::{Router, body::Bytes, extract::State, http::StatusCode};
use celeriac::Broker;
use nix::sys::signal::Signal;
use tokio::{process::Command, sync::watch, task::JoinSet};

use crate::support::{BOUND, Child, example, within};

/// A folder with a broker's file in it, and programs that use it.
pub(super) struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(super) fn url(&self) -> String {
        format!("sqlite://{}/tasks.db", self.folder.path().display())
    }

    pub(super) fn broker(&self) -> Broker {
        Broker::new(&self.url()).unwrap()
    }

    /// The worker, with these variables and nothing else that it would read.
    pub(super) fn program(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
        let mut command = Command::new(example("observed-worker"));
        command.args(arguments).current_dir(self.folder.path());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let read = ["CELERIAC_", "OTEL_", "SENTRY_", "RUST_"].iter().any(|prefix| name.starts_with(prefix));
            if read || name.to_ascii_lowercase().ends_with("_proxy") {
                command.env_remove(name);
            }
        }
        command.env("CELERIAC_BROKER_URL", self.url()).envs(variables.iter().copied());
        Child::spawn(command)
    }
}

/// Asks a worker to stop, and returns all that it has printed.
pub(super) async fn end(mut worker: Child) -> String {
    worker.signal(Signal::SIGTERM);
    assert!(worker.wait().await.success(), "{}", worker.output());
    worker.output()
}

/// A server on this machine that keeps what it is sent.
pub(super) struct Receiver {
    pub(super) address: String,
    received: watch::Receiver<Vec<Bytes>>,
    _server: JoinSet<()>,
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let (keep, received) = watch::channel(Vec::new());
        let take = async |State(keep): State<Arc<watch::Sender<Vec<Bytes>>>>, body: Bytes| {
            keep.send_modify(|received| received.push(body));
            StatusCode::OK
        };
        let router = Router::new().fallback(take).with_state(Arc::new(keep));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, received, _server: server }
    }

    /// Waits until what was received is enough for `enough`.
    pub(super) async fn until<T>(&mut self, mut enough: impl FnMut(&[Bytes]) -> Option<T>) -> T {
        let mut answer = None;
        let wanted = self.received.wait_for(|received| {
            answer = enough(received);
            answer.is_some()
        });
        drop(within(BOUND, wanted).await.unwrap());
        answer.unwrap()
    }

    pub(super) fn received(&self) -> Vec<Bytes> {
        self.received.borrow().clone()
    }
}
