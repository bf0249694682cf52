//! Which consumers there are, what each holds, and how much more it may.

use super::{
    command::{Attach, Claim, Claimed},
    writer::{Consuming, Held, Writer},
};

impl Writer {
    pub(super) fn attach(&mut self, attach: Attach) -> u64 {
        self.changed.insert(attach.queue.clone());
        self.consumers.insert(
            attach.consumer,
            Consuming {
                queue: attach.queue,
                isolate_after: attach.isolate_after,
                room: attach.prefetch,
                hot: true,
                had_suspect: false,
                claimed: attach.claimed,
            },
        );
        attach.consumer
    }

    pub(super) fn detach(&mut self, consumer: u64, unread: Vec<Claimed>) {
        if let Some(consumer) = self.consumers.remove(&consumer) {
            self.changed.insert(consumer.queue);
        }
        for row in unread {
            self.give_back(row.claim, false);
        }
    }

    /// A delivery goes back to its queue.
    pub(super) fn give_back(&mut self, claim: Claim, counted: bool) {
        if self.release(claim).is_some() {
            self.returns.push((claim, counted));
        }
    }

    /// A delivery has ended, one way or another: there is room for one more. `None`: it had ended before.
    pub(super) fn release(&mut self, claim: Claim) -> Option<Held> {
        let held = self.held.remove(&claim)?;
        if let Some(consumer) = self.consumers.get_mut(&claim.consumer) {
            consumer.room += 1;
        }
        if let Some(queue) = &held.suspect_of {
            self.suspects.remove(queue);
            self.heat();
        }
        Some(held)
    }

    /// A delivery has begun.
    pub(super) fn hold(&mut self, claim: Claim, held: Held) {
        if let Some(consumer) = self.consumers.get_mut(&claim.consumer) {
            consumer.room = consumer.room.saturating_sub(1);
        }
        self.suspects.extend(held.suspect_of.clone());
        self.held.insert(claim, held);
    }

    /// Anything may be ready.
    pub(super) fn heat(&mut self) {
        self.consumers.values_mut().for_each(|consumer| consumer.hot = true);
    }
}
