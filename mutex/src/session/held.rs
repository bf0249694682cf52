use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::{
    FencingToken, LeaseLost,
    clock::Boot,
    stats::NameCounts,
    store::{Ask, Granted},
};

/// A lease that this process holds, as far as it knows.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) ask: Arc<Ask>,
    pub(crate) fence: FencingToken,
    pub(crate) lost: CancellationToken,
    /// The same, but for a revocation.
    pub(crate) gone: CancellationToken,
    pub(crate) reason: OnceLock<LeaseLost>,
    /// When it counts as lost unless it is renewed: a [`Boot`].
    lost_at: AtomicU64,
    /// When its renewal ends: a [`Boot`].
    renew_until: AtomicU64,
    pub(crate) counts: Arc<NameCounts>,
    /// When it was asked for with success.
    pub(crate) since: Boot,
    counted: AtomicBool,
}

impl Held {
    /// What was granted to a question that was sent at `sent`.
    pub(crate) fn new(ask: Arc<Ask>, granted: Granted, sent: Boot, counts: Arc<NameCounts>) -> Self {
        let lost_at = lost_at(granted.ttl, sent);
        Self {
            ask,
            fence: granted.fence,
            lost: CancellationToken::new(),
            gone: CancellationToken::new(),
            reason: OnceLock::new(),
            lost_at: AtomicU64::new(lost_at.0),
            renew_until: AtomicU64::new(Boot::NEVER.0),
            counts,
            since: Boot::now(),
            counted: AtomicBool::new(false),
        }
    }

    /// It lasts at least `ttl` from `sent`: the store began to count later.
    pub(crate) fn extend(&self, ttl: Duration, sent: Boot) {
        self.lost_at.store(lost_at(ttl, sent).0, Ordering::Relaxed);
    }

    pub(crate) fn lost_at(&self) -> Boot {
        Boot(self.lost_at.load(Ordering::Relaxed))
    }

    pub(crate) fn remaining(&self) -> Duration {
        match self.lost_at() {
            _ if !self.check() => Duration::ZERO,
            Boot::NEVER => Duration::MAX,
            at => at.left(Boot::now()),
        }
    }

    /// Whether it is held; notices that its time is over.
    pub(crate) fn check(&self) -> bool {
        let now = Boot::now();
        if now >= self.lost_at() {
            self.lose(if now >= self.renew_until() { LeaseLost::Overlong } else { LeaseLost::Unreachable });
        }
        self.reason.get().is_none()
    }

    pub(crate) fn lose(&self, reason: LeaseLost) {
        let first = self.reason.set(reason).is_ok();
        // Before `lost`: whoever hears of that one asks this one what it means.
        if reason != LeaseLost::Revoked {
            self.count();
            self.gone.cancel();
        }
        if first {
            tracing::warn!(key = %self.ask.key, lease = %self.ask.lease, reason = reason.as_str(), "a lease is lost");
            self.counts.lost(reason);
            self.lost.cancel();
        }
    }

    /// Its holder let go: whoever still looks at it finds it lost.
    pub(crate) fn end(&self) {
        let first = self.reason.set(LeaseLost::Released).is_ok();
        self.gone.cancel();
        if first {
            self.lost.cancel();
        }
        self.count();
    }

    /// Counts how long it was held, once.
    pub(crate) fn count(&self) {
        if !self.counted.swap(true, Ordering::Relaxed) {
            self.counts.held(Boot::now().left(self.since));
        }
    }

    pub(crate) fn renew_until(&self) -> Boot {
        Boot(self.renew_until.load(Ordering::Relaxed))
    }

    pub(crate) fn stop_renewing_at(&self, instant: Instant) {
        let at = Boot::now().plus(instant.saturating_duration_since(Instant::now()));
        self.renew_until.fetch_min(at.0, Ordering::Relaxed);
    }
}

/// When a lease counts as lost: before its end by the drift of two clocks, and by the time that work is given to stop.
fn lost_at(ttl: Duration, sent: Boot) -> Boot {
    if ttl == Duration::MAX {
        return Boot::NEVER;
    }
    let drift = ttl / 200 + Duration::from_millis(20);
    let grace = (ttl / 5).min(Duration::from_secs(2));
    sent.plus(ttl.saturating_sub(drift).saturating_sub(grace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_counts_as_lost_before_the_store_ends_it() {
        for millis in [100, 500, 15_000, 3_600_000] {
            let ttl = Duration::from_millis(millis);
            let at = lost_at(ttl, Boot(0));
            assert!(at.plus(Duration::from_millis(20)) < Boot(0).plus(ttl), "{ttl:?}");
            assert!(at > Boot(0).plus(ttl / 2), "{ttl:?}: time enough to renew it once");
        }
        assert_eq!(lost_at(Duration::MAX, Boot(5)), Boot::NEVER);
    }
}
