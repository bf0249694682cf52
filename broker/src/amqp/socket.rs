//! The socket of a connection that is being made.

use std::{
    io,
    net::{Shutdown, TcpStream},
    sync::{Arc, Mutex, PoisonError},
};

use async_compat::Compat;
use lapin::{
    tcp::{AsyncTcpStream, TLSConfig},
    uri::{AMQPScheme, AMQPUri},
};
use tokio_util::sync::CancellationToken;

/// Hangs up when it is dropped, unless told that the connection stands.
///
/// The client library gives each connection a thread, which waits for as long as a silent peer stays silent. Who gives up on a
/// connection would leave that thread behind, and one more with each attempt.
#[derive(Debug, Default)]
pub(super) struct HangUp {
    socket: Socket,
}

/// A second hold on the socket.
#[derive(Debug, Default, Clone)]
pub(super) struct Socket {
    stream: Arc<Mutex<Option<TcpStream>>>,
    given_up: CancellationToken,
}

impl HangUp {
    pub(super) fn socket(&self) -> Socket {
        self.socket.clone()
    }

    /// The connection stands, and is closed by its owner.
    pub(super) fn disarm(self) {
        self.socket.take();
    }
}

impl Drop for HangUp {
    fn drop(&mut self) {
        self.socket.given_up.cancel();
        if let Some(socket) = self.socket.take() {
            // It may be closed already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Socket {
    fn take(&self) -> Option<TcpStream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Connects, unless that is given up. It sets no timer: the client's thread may get here when the runtime is ending.
    pub(super) async fn connect(&self, uri: &AMQPUri) -> io::Result<AsyncTcpStream<Compat<tokio::net::TcpStream>>> {
        let connecting = async {
            let (host, port) = (uri.authority.host.as_str(), uri.authority.port);
            let stream = tokio::net::TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            *self.stream.lock().unwrap_or_else(PoisonError::into_inner) = Some(second_hold(&stream)?);
            let stream = AsyncTcpStream::Plain(Compat::new(stream));
            match uri.scheme {
                AMQPScheme::AMQP => Ok(stream),
                AMQPScheme::AMQPS => stream.into_tls(host, TLSConfig::default()).await,
            }
        };
        let connected = self.given_up.run_until_cancelled(connecting).await;
        connected.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(unix)]
fn second_hold(stream: &tokio::net::TcpStream) -> io::Result<TcpStream> {
    Ok(std::os::fd::AsFd::as_fd(stream).try_clone_to_owned()?.into())
}

#[cfg(windows)]
fn second_hold(stream: &tokio::net::TcpStream) -> io::Result<TcpStream> {
    Ok(std::os::windows::io::AsSocket::as_socket(stream).try_clone_to_owned()?.into())
}
