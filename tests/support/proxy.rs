//! A TCP proxy that a test can break.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forward,
    BlackHole,
    Cut,
}

#[derive(Debug, Clone, Copy)]
struct State {
    mode: Mode,
    /// Counted, so that a cut is not missed when a restore follows it at once.
    cuts: u64,
}

/// Forwards connections to an address, until told otherwise. Ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    _running: JoinSet<()>,
}

impl Proxy {
    /// Listens on a free loopback port for connections to `127.0.0.1:<port>`.
    pub async fn to_port(port: u16) -> Self {
        Self::to(SocketAddr::from(([127, 0, 0, 1], port))).await
    }

    /// Listens on a free loopback port for connections to `target`.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, follow) = watch::channel(State { mode: Mode::Forward, cuts: 0 });
        let mut running = JoinSet::new();
        running.spawn(accept(listener, target, follow));
        Self { address, state, _running: running }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `url` with the proxy's address instead of its own: credentials, path and query stay.
    pub fn url(&self, url: &str) -> String {
        let start = url.find('@').or_else(|| url.find("//").map(|at| at + 1)).expect("an address with a host") + 1;
        let end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
        format!("{}{}{}", &url[..start], self.address, &url[end..])
    }

    /// Closes every connection, and every new one at once.
    pub fn cut(&self) {
        self.state.send_modify(|state| {
            state.mode = Mode::Cut;
            state.cuts += 1;
        });
    }

    /// Keeps every connection open and forwards no further byte, as a network that drops packets does.
    pub fn black_hole(&self) {
        self.state.send_modify(|state| state.mode = Mode::BlackHole);
    }

    /// Forwards again; connections in the black hole go on where they were.
    pub fn restore(&self) {
        self.state.send_modify(|state| state.mode = Mode::Forward);
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, state: watch::Receiver<State>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        connections.spawn(connection(client, target, state.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// Both directions of a connection, until either ends or the proxy is cut.
async fn connection(client: TcpStream, target: SocketAddr, mut state: watch::Receiver<State>) {
    let cuts = state.borrow().cuts;
    let follow = state.clone();
    let forward = async {
        open(&follow).await;
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = TcpStream::connect(target).await?.into_split();
        tokio::select! {
            ended = copy(from_client, to_server, &follow) => ended,
            ended = copy(from_server, to_client, &follow) => ended,
        }
    };
    tokio::select! {
        biased;
        _ = state.wait_for(|state| state.mode == Mode::Cut || state.cuts != cuts) => {}
        _ = forward => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &watch::Receiver<State>) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        open(state).await;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..length]).await?;
    }
}

/// Waits until the proxy forwards; for ever, once it is gone.
async fn open(state: &watch::Receiver<State>) {
    if state.clone().wait_for(|state| state.mode == Mode::Forward).await.is_err() {
        std::future::pending::<()>().await;
    }
}
