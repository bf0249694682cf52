use std::{
    future::{Future as _, poll_fn},
    task::Poll,
};

use celeriac_mutex::{Lease, LeaseLost};

use super::Hold;

/// What befell a lease of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It is no longer held, or may soon be given to another: the run must end now.
    Lost(String),
    /// An operator asks that it be let go. It is still held.
    Revoked,
}

impl Hold {
    /// The first lease that is lost, as far as is known now.
    pub(crate) fn lost(&self) -> Option<String> {
        let own = self.held.iter().find_map(|held| lost(&held.lease));
        own.or_else(|| self.parts.get().and_then(|parts| parts.lost()))
    }

    /// Resolves when a lease is lost, the task's own or one that the handler holds, or, unless that was `told`, revoked.
    ///
    /// Cancel safe.
    pub(crate) async fn loss(&self, told: bool) -> Loss {
        loop {
            if let Some(text) = self.lost() {
                return Loss::Lost(text);
            }
            let parts = self.parts.get().map(|parts| parts.leases()).unwrap_or_default();
            let leases = || self.held.iter().map(|held| &held.lease).chain(parts.iter().map(AsRef::as_ref));
            if !told && leases().any(|lease| lease.lost_reason() == Some(LeaseLost::Revoked)) {
                return Loss::Revoked;
            }
            let watched = leases().map(|lease: &Lease| if told { lease.gone() } else { lease.lost() });
            let mut watched: Vec<_> = watched.map(|token| Box::pin(token.cancelled())).collect();
            let ended = poll_fn(|context| {
                let ended = watched.iter_mut().any(|token| token.as_mut().poll(context).is_ready());
                if ended { Poll::Ready(()) } else { Poll::Pending }
            });
            tokio::select! {
                () = ended => {}
                () = self.parts_changed.notified() => {}
            }
        }
    }
}

/// What befell a lease, where the run must not go on with it.
pub(super) fn lost(lease: &Lease) -> Option<String> {
    // It notices by itself when its time is over.
    let reason = lease.lost_reason()?;
    let lost = reason != LeaseLost::Revoked || lease.gone().is_cancelled();
    lost.then(|| format!("the lease of {} was lost: {reason}", lease.key()))
}
