//! The processes that a store hears hints for.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, watch},
    time::{Instant, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    hints::{Listener, inbox},
    options::RedisOptions,
    source::Source,
};
use crate::store::{Hint, ProcessId};

/// One of them.
#[derive(Debug)]
struct Session {
    hears: watch::Receiver<bool>,
    _listener: AbortOnDropHandle<()>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<ProcessId, Session>>);

impl Sessions {
    pub(super) fn open(
        &self,
        source: &Source,
        options: &RedisOptions,
        process: &ProcessId,
        runtime: &Handle,
        hints: mpsc::Sender<Hint>,
    ) {
        let (sender, hears) = watch::channel(false);
        let listener = Listener {
            source: source.clone(),
            options: options.clone(),
            inbox: inbox(source, process),
            hints,
            hears: sender,
        };
        let listener = AbortOnDropHandle::new(runtime.spawn(listener.run()));
        let session = Session { hears, _listener: listener };
        self.lock().insert(process.clone(), session);
    }

    pub(super) fn close(&self, process: &ProcessId) {
        self.lock().remove(process);
    }

    /// Waits until a process hears, or `deadline`: who waits in line and hears nothing is taken for dead.
    pub(super) async fn heard(&self, process: &ProcessId, deadline: Instant) {
        let Some(mut hears) = self.lock().get(process).map(|session| session.hears.clone()) else { return };
        if !*hears.borrow() {
            // Whether it does or not, the question is asked: it may be granted at once.
            let _ = timeout_at(deadline, hears.wait_for(|hears| *hears)).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ProcessId, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
