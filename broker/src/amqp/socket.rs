//! The socket of a connection that is being made.

use std::{
    io,
    net::{Shutdown, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_compat::Compat;
use lapin::{
    tcp::{AsyncTcpStream, TLSConfig},
    uri::{AMQPScheme, AMQPUri},
};

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
pub(super) struct Socket(Arc<Mutex<Option<TcpStream>>>);

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
        if let Some(socket) = self.socket.take() {
            // It may be closed already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Socket {
    fn take(&self) -> Option<TcpStream> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Connects, within `timeout`.
    pub(super) async fn connect(
        &self,
        uri: &AMQPUri,
        timeout: Duration,
    ) -> io::Result<AsyncTcpStream<Compat<tokio::net::TcpStream>>> {
        let connecting = async {
            let (host, port) = (uri.authority.host.as_str(), uri.authority.port);
            let stream = tokio::net::TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(second_hold(&stream)?);
            let stream = AsyncTcpStream::Plain(Compat::new(stream));
            match uri.scheme {
                AMQPScheme::AMQP => Ok(stream),
                AMQPScheme::AMQPS => stream.into_tls(host, TLSConfig::default()).await,
            }
        };
        tokio::time::timeout(timeout, connecting).await?
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
