//! Group commit: many changes, one `BEGIN IMMEDIATE .. COMMIT`, and the claims that they make room for.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use celeriac_sqlite::{Database, holder};
use rusqlite::ErrorCode;

use super::{
    command::{Claim, Claimed, Done, Write},
    entry::micros,
    fault::Fault,
    store::{Store, Wish},
    writer::{Held, Identity, Queued, Writer},
};
use crate::QueueName;

/// How long a transaction takes changes, so that other processes have their turn.
const SLICE: Duration = Duration::from_millis(15);

/// The most messages that one consumer claims in one transaction.
const MAX_CLAIM: usize = 256;

/// What one transaction did so far; it holds when it is committed.
#[derive(Default)]
struct Progress {
    done: Vec<Done>,
    /// What was settled, to be held again if it comes to nothing.
    settled: Vec<(Claim, Held)>,
    claimed: Vec<Batch>,
    /// How many deliveries were given back.
    returned: usize,
    identity: Option<Identity>,
}

/// What one consumer gets.
struct Batch {
    consumer: u64,
    rows: Vec<Claimed>,
    /// The one among them that is a suspect.
    suspect: Option<i64>,
    queue: QueueName,
}

impl Writer {
    /// Commits the changes and whatever else is due, and answers. Returns what there was no time for.
    pub(super) fn transact(
        &mut self,
        file: &Database,
        store: &mut Store<'_>,
        mut writes: Vec<Queued>,
    ) -> (Vec<Queued>, Result<(), Fault>) {
        let mut progress = Progress::default();
        let mut result = self.commit(file, store, |writer, store| writer.together(store, &writes, &mut progress));
        if let Err(fault) = &result {
            self.undo(fault, &mut progress);
            // One bad change must not take its neighbours along, nor a full disk the acks that would free it.
            if matches!(fault, Fault::Failed(_) | Fault::Full(_)) && !writes.is_empty() {
                for queued in writes {
                    result = self.alone(file, store, queued);
                }
                return (Vec::new(), result);
            }
            for queued in writes {
                answer(queued, Err(fault.clone()));
            }
            return (Vec::new(), result);
        }
        self.committed(&mut progress);
        let left = writes.split_off(progress.done.len());
        for (queued, done) in writes.into_iter().zip(progress.done) {
            answer(queued, Ok(done));
        }
        (left, result)
    }

    fn commit(
        &mut self,
        file: &Database,
        store: &mut Store<'_>,
        change: impl FnOnce(&mut Self, &mut Store<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), Fault> {
        let _turn = file.turnstile.enter()?;
        if let Err(error) = store.begin() {
            store.roll_back();
            let busy = matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked));
            return Err(if busy { Fault::Locked(holder(&self.location.path)) } else { error.into() });
        }
        let result = change(self, store).map_err(Fault::from).and_then(|()| store.commit().map_err(uncertain));
        if result.is_err() {
            store.roll_back();
        }
        if matches!(result, Err(Fault::Full(_))) {
            // What the log holds may fit into pages that the file has already.
            store.shrink_log();
        }
        result
    }

    /// What one transaction does, in order.
    fn together(&mut self, store: &mut Store<'_>, writes: &[Queued], progress: &mut Progress) -> rusqlite::Result<()> {
        if store.refresh()? {
            self.heat();
        }
        self.keep_identity(store, progress)?;
        let owner = progress.identity.as_ref().or(self.identity.as_ref()).map(|identity| identity.id);
        if self.redeclare {
            for consumer in self.consumers.values() {
                let names = std::iter::once(consumer.queue.clone()).chain(consumer.queue.dead().ok());
                store.execute(&Write::Declare(names.collect()))?;
            }
        }
        if let Some(owner) = owner {
            for queue in &self.changed {
                let count = self.consumers.values().filter(|consumer| consumer.queue == *queue).count();
                store.set_consumers(owner, queue, u32::try_from(count).unwrap_or(u32::MAX))?;
            }
        }
        for process in &self.dead {
            store.bury(*process)?;
        }
        let promoted = !self.consumers.is_empty() && store.promote()? > 0;
        if promoted || !self.dead.is_empty() {
            self.heat();
        }
        let started = Instant::now();
        for queued in writes {
            if !progress.done.is_empty() && started.elapsed() > SLICE {
                break;
            }
            if self.begin(queued) {
                progress.done.push(store.execute(&queued.write)?);
                progress.settled.extend(self.notice(&queued.write));
            } else {
                progress.done.push(Done::default());
            }
        }
        // After the changes: an ack that nobody waits for any more is followed by the drop of its delivery.
        if progress.done.len() == writes.len() {
            for (claim, counted) in &self.returns {
                store.release(*claim, *counted)?;
            }
            progress.returned = self.returns.len();
        }
        if progress.returned > 0 {
            self.heat();
        }
        if let Some(owner) = owner {
            self.claim(store, owner, progress)?;
        }
        Ok(())
    }

    /// Registers this process where it consumes, and renews it where it is time. `progress` has the new identity.
    fn keep_identity(&mut self, store: &mut Store<'_>, progress: &mut Progress) -> rusqlite::Result<()> {
        // Written: half a lease. Renewed every third; found expired, a process has a last third (see `call_roll`).
        let expires_at = store.now.saturating_add(micros(self.location.claim_lease / 2));
        let renew_at = Instant::now() + self.location.claim_lease / 3;
        let id = match &self.identity {
            Some(identity) if identity.renew_at > Instant::now() || self.dead.contains(&identity.id) => return Ok(()),
            Some(identity) if store.renew(identity.id, expires_at)? => identity.id,
            None if self.consumers.is_empty() => return Ok(()),
            gone => {
                if gone.is_some() {
                    tracing::warn!("this process did not renew its claims in time, and lost them");
                }
                self.changed.extend(self.consumers.values().map(|consumer| consumer.queue.clone()));
                let id = rand::random_range(1..=i64::MAX);
                store.register(id, expires_at)?;
                id
            }
        };
        progress.identity = Some(Identity { id, renew_at });
        Ok(())
    }

    /// Whether a change is to be made: not where its publisher has given up, and was told that nothing happened.
    fn begin(&self, queued: &Queued) -> bool {
        // The order matters: whoever gives up closes first and asks for the last ticket then.
        self.signals.begun.fetch_max(queued.ticket, Ordering::SeqCst);
        !(matches!(queued.write, Write::Publish(_)) && queued.answer.is_closed())
    }

    /// Wakes the consumers whose queue has got something, and notes what was settled.
    fn notice(&mut self, write: &Write) -> Option<(Claim, Held)> {
        let queue = match write {
            Write::Publish(entry) => Some(&entry.queue),
            Write::Settle(_, copy) => copy.as_ref().map(|copy| &copy.queue),
            Write::Promote | Write::Apply(..) | Write::Declare(_) => {
                self.heat();
                None
            }
            Write::Ping | Write::Purge(_) | Write::Delete(_) => None,
        };
        if let Some(queue) = queue {
            for consumer in self.consumers.values_mut().filter(|consumer| consumer.queue == *queue) {
                consumer.hot = true;
            }
        }
        match write {
            Write::Settle(claim, _) => Some((*claim, self.release(*claim)?)),
            _ => None,
        }
    }

    fn claim(&mut self, store: &mut Store<'_>, owner: i64, progress: &mut Progress) -> rusqlite::Result<()> {
        for (&id, consumer) in self.consumers.iter_mut().filter(|(_, consumer)| consumer.hot && consumer.room > 0) {
            let mut wish = Wish {
                queue: &consumer.queue,
                consumer: id,
                owner,
                room: consumer.room.min(MAX_CLAIM),
                isolate_after: consumer.isolate_after,
                suspect: !self.suspects.contains(&consumer.queue),
            };
            let mut claimed = Vec::new();
            let turns = wish.suspect && wish.room == 1 && consumer.had_suspect;
            wish.suspect &= !turns;
            let mut suspect = store.claim(&wish, &mut claimed)?;
            if turns && claimed.is_empty() {
                wish.suspect = true;
                suspect = store.claim(&wish, &mut claimed)?;
            }
            consumer.hot = claimed.len() == wish.room;
            consumer.had_suspect = suspect.is_some();
            if suspect.is_some() {
                self.suspects.insert(consumer.queue.clone());
            }
            if !claimed.is_empty() {
                progress.claimed.push(Batch { consumer: id, rows: claimed, suspect, queue: consumer.queue.clone() });
            }
        }
        Ok(())
    }

    /// What was done holds: hands out what was claimed.
    fn committed(&mut self, progress: &mut Progress) {
        self.succeeded();
        self.returns.drain(..progress.returned);
        self.changed.clear();
        self.dead.clear();
        self.redeclare = false;
        if let Some(identity) = progress.identity.take() {
            self.identity = Some(identity);
        }
        for batch in progress.claimed.drain(..) {
            for row in &batch.rows {
                let suspect_of = (batch.suspect == Some(row.claim.id)).then(|| batch.queue.clone());
                self.hold(row.claim, Held { suspect_of });
            }
            let Some(consumer) = self.consumers.get(&batch.consumer) else { continue };
            if let Err(unread) = consumer.claimed.send(batch.rows) {
                // It was dropped, and its farewell is still in the channel.
                for row in unread.0 {
                    self.give_back(row.claim, false);
                }
            }
        }
    }

    /// Nothing was done.
    fn undo(&mut self, fault: &Fault, progress: &mut Progress) {
        self.failed(fault);
        self.heat();
        for batch in progress.claimed.drain(..).filter(|batch| batch.suspect.is_some()) {
            self.suspects.remove(&batch.queue);
        }
        for (claim, held) in progress.settled.drain(..) {
            self.hold(claim, held);
        }
    }

    /// One change in a transaction of its own.
    fn alone(&mut self, file: &Database, store: &mut Store<'_>, queued: Queued) -> Result<(), Fault> {
        let mut done = Done::default();
        let result = self.commit(file, store, |writer, store| {
            store.refresh()?;
            if writer.begin(&queued) {
                done = store.execute(&queued.write)?;
            }
            Ok(())
        });
        if result.is_ok() {
            self.notice(&queued.write);
        }
        answer(queued, result.clone().map(|()| done));
        result
    }
}

fn answer(queued: Queued, result: Result<Done, Fault>) {
    // Whoever asked may have gone.
    let _ = queued.answer.send(result);
}

/// A commit that fails for lack of room has not happened; of another one nobody knows before the next start.
fn uncertain(error: rusqlite::Error) -> Fault {
    match Fault::from(error) {
        Fault::Failed(message) => Fault::Uncertain(message),
        fault => fault,
    }
}
