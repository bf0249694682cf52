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
        self.held.iter().find_map(|held| lost(&held.lease))
    }

    /// Resolves when one of the task's own leases is lost, or, unless that was `told`, revoked.
    ///
    /// Cancel safe.
    pub(crate) async fn loss(&self, told: bool) -> Loss {
        let watched = self.held.iter().map(|held| if told { held.lease.gone() } else { held.lease.lost() });
        let watched: Vec<_> = watched.map(|token| Box::pin(token.cancelled())).collect();
        if watched.is_empty() {
            return pending().await;
        }
        select_all(watched).await;
        self.lost().map_or(Loss::Revoked, Loss::Lost)
    }
}

fn lost(lease: &Lease) -> Option<String> {
    // It notices by itself when its time is over.
    let reason = lease.lost_reason()?;
    let lost = reason != LeaseLost::Revoked || lease.gone().is_cancelled();
    lost.then(|| format!("the lease of {} was lost: {reason}", lease.key()))
}
