//! What asks a worker to stop.

use std::{future::Future, pin::Pin};

use crate::Error;

/// What asks a worker to stop, and then to stop at once.
pub(crate) enum StopRequests {
    /// SIGTERM or SIGINT.
    #[cfg(unix)]
    Signals(tokio::signal::unix::Signal, tokio::signal::unix::Signal),
    /// Ctrl-C.
    #[cfg(not(unix))]
    CtrlC,
    /// The caller's future, once.
    Once(Option<Pin<Box<dyn Future<Output = ()> + Send>>>),
}

impl StopRequests {
    #[cfg(unix)]
    pub(crate) fn signals() -> Result<Self, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        let system = |source| Error::System { what: "a signal handler", source };
        Ok(Self::Signals(
            signal(SignalKind::terminate()).map_err(system)?,
            signal(SignalKind::interrupt()).map_err(system)?,
        ))
    }

    #[cfg(not(unix))]
    pub(crate) fn signals() -> Result<Self, Error> {
        Ok(Self::CtrlC)
    }

    pub(crate) fn once(future: impl Future<Output = ()> + Send + 'static) -> Self {
        Self::Once(Some(Box::pin(future)))
    }

    /// Resolves at the next request. Cancel safe.
    pub(crate) async fn next(&mut self) {
        match self {
            #[cfg(unix)]
            Self::Signals(terminate, interrupt) => {
                tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            }
            #[cfg(not(unix))]
            Self::CtrlC => drop(tokio::signal::ctrl_c().await),
            Self::Once(Some(future)) => {
                future.await;
                *self = Self::Once(None);
            }
            Self::Once(None) => std::future::pending().await,
        }
    }
}
