//! A dealer's system: a small HTTP server that bears so many calls at once and refuses the rest, as partners do when they are
//! hammered. It counts, so that in the morning everybody knows how many there were.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::get,
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

pub(crate) const NAMES: [&str; 12] =
    ["aspen", "birch", "cedar", "elder", "hazel", "holly", "laurel", "linden", "maple", "poplar", "rowan", "willow"];

/// One dealer's server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Dealer {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    door: Arc<Door>,
    serving: AbortHandle,
}

#[derive(Debug)]
struct Door {
    /// How long a call takes.
    pace: Duration,
    count: Mutex<Count>,
}

#[derive(Debug)]
struct Count {
    now: u32,
    calls: u64,
    refused: u64,
    /// The last one is the present.
    spans: Vec<Span>,
}

/// A time in which a dealer bore the same number of calls at once.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) allowed: u32,
    pub(crate) peak: u32,
}

/// What a dealer has seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) name: String,
    pub(crate) calls: u64,
    pub(crate) refused: u64,
    pub(crate) spans: Vec<Span>,
}

impl Dealer {
    pub(crate) async fn open(name: &str, pace: Duration, allowed: u32) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let count = Count { now: 0, calls: 0, refused: 0, spans: vec![Span { allowed, peak: 0 }] };
        let door = Arc::new(Door { pace, count: Mutex::new(count) });
        let router = Router::new().route("/{what}", get(answer)).with_state(door.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { name: name.to_owned(), address, door, serving })
    }

    /// From now on it bears so many.
    pub(crate) fn allow(&self, allowed: u32) {
        let mut count = self.door.count();
        let peak = count.now;
        count.spans.push(Span { allowed, peak });
    }

    pub(crate) fn allowed(&self) -> u32 {
        self.door.count().spans.last().map_or(0, |span| span.allowed)
    }

    pub(crate) fn seen(&self) -> Seen {
        let count = self.door.count();
        let (calls, refused, spans) = (count.calls, count.refused, count.spans.clone());
        Seen { name: self.name.clone(), calls, refused, spans }
    }
}

impl Drop for Dealer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(door): State<Arc<Door>>) -> Response {
    let Some(_call) = door.enter() else {
        return (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "1")], "you hammer us").into_response();
    };
    tokio::time::sleep(door.pace).await;
    "119".into_response()
}

impl Door {
    /// Counts a call until it is answered, or its caller is gone; `None` where there are too many.
    fn enter(self: &Arc<Self>) -> Option<Call> {
        let mut count = self.count();
        count.calls += 1;
        let now = count.now + 1;
        let span = count.spans.last_mut()?;
        // What is refused was too much for it all the same.
        span.peak = span.peak.max(now);
        if now > span.allowed {
            count.refused += 1;
            return None;
        }
        count.now = now;
        Some(Call(self.clone()))
    }

    fn count(&self) -> MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is being answered.
struct Call(Arc<Door>);

impl Drop for Call {
    fn drop(&mut self) {
        self.0.count().now -= 1;
    }
}

/// Asks a dealer's server: the status and the body of its answer. Dropping the future hangs up.
pub(crate) async fn ask(dealer: SocketAddr, what: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(dealer).await?;
    let request = format!("GET /{what} HTTP/1.1\r\nhost: {dealer}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    status.zip(body).ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "the dealer hung up"))
}
