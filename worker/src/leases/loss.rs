use std::future::pending;

use celeriac_mutex::{Lease, LeaseLost};
use futures_util::future::select_all;

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
        self.held.iter().find_map(|held| match of(&held.lease) {
            Some(Loss::Lost(text)) => Some(text),
            _ => None,
        })
    }

    /// Resolves when one of the task's own leases is lost, or revoked and that was not `told` yet.
    ///
    /// Cancel safe.
    pub(crate) async fn loss(&self, told: bool) -> Loss {
        let watched = self.held.iter().filter(|held| !told || of(&held.lease) != Some(Loss::Revoked));
        let watched: Vec<_> = watched.map(|held| Box::pin(held.lease.lost().cancelled())).collect();
        if watched.is_empty() {
            return pending().await;
        }
        select_all(watched).await;
        match self.lost() {
            Some(text) => Loss::Lost(text),
            None => Loss::Revoked,
        }
    }
}

fn of(lease: &Lease) -> Option<Loss> {
    match lease.lost_reason()? {
        LeaseLost::Revoked => Some(Loss::Revoked),
        reason => Some(Loss::Lost(format!("the lease of {} was lost: {reason}", lease.key()))),
    }
}
