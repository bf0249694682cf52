use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Stands between clients and a server, and loses what they say to each other.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    connections: Mutex<Vec<TcpStream>>,
    /// How many answers are still to be lost, each with its connection.
    losing: AtomicUsize,
}

impl Proxy {
    /// Forwards until the process ends.
    ///
    /// # Errors
    ///
    /// Where no port is free.
    pub fn to(target: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A server that is away refuses; so does the proxy then.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", target)) {
                    let _ = connect(&own, &client, &server);
                }
            }
        });
        Ok(Self { port, shared })
    }

    /// Where clients connect.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection, after whatever request and before whatever reply is on its way.
    pub fn cut(&self) {
        for connection in self.shared.connections.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Lets the next requests through, and cuts their connections instead of answering.
    pub fn lose_replies(&self, count: usize) {
        self.shared.losing.store(count, Ordering::SeqCst);
    }
}

fn connect(shared: &Arc<Shared>, client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    {
        let mut connections = shared.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.push(client.try_clone()?);
        connections.push(server.try_clone()?);
    }
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let (from_server, to_client) = (server.try_clone()?, client.try_clone()?);
    thread::spawn(move || copy(from_client, to_server, None));
    let shared = shared.clone();
    thread::spawn(move || copy(from_server, to_client, Some(&shared.losing)));
    Ok(())
}

fn copy(mut from: TcpStream, mut to: TcpStream, losing: Option<&AtomicUsize>) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length) = from.read(&mut buffer) {
        let lost = |losing: &AtomicUsize| {
            losing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
        };
        if length == 0 || losing.is_some_and(lost) || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
