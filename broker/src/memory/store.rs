use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{Notify, futures::OwnedNotified},
    time::Instant,
};

use super::queue::Slots;
use crate::{
    Message, QueueInfo, QueueName,
    transport::{Destination, Swept, Verdict},
};

/// Every queue of the transports that share it.
#[derive(Debug, Default)]
pub(super) struct Store {
    state: Mutex<State>,
    changed: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    queues: BTreeMap<QueueName, Slots>,
    /// Kept apart from the queues: a consumer outlives the deletion of its queue.
    consumers: BTreeMap<QueueName, u64>,
    sequence: u64,
}

/// An entry that was given to a consumer.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) claim: u64,
    pub(super) message: Message,
    pub(super) deliveries: u32,
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after every statement: a panicked holder leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, then wakes everybody who waits for a change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_waiters();
        result
    }

    /// Resolves when anything has changed since the call.
    pub(super) fn changed(&self) -> OwnedNotified {
        self.changed.clone().notified_owned()
    }

    pub(super) fn next_process(&self) -> u64 {
        self.lock().next()
    }

    pub(super) fn declare(&self, name: &QueueName) {
        self.lock().queues.entry(name.clone()).or_default();
    }

    pub(super) fn delete(&self, name: &QueueName) {
        let mut state = self.lock();
        state.queues.remove(name);
        if let Ok(dead) = name.dead()
            && state.queues.get(&dead).is_some_and(Slots::is_empty)
        {
            state.queues.remove(&dead);
        }
    }

    pub(super) fn names(&self) -> Vec<QueueName> {
        self.lock().queues.keys().cloned().collect()
    }

    pub(super) fn publish(&self, to: Destination, message: Message) {
        self.change(|state| state.push(to, message));
    }

    /// The next entry to deliver, or when to ask again.
    pub(super) fn claim(&self, name: &QueueName, process: u64, isolate_after: u32) -> Result<Claimed, Option<Instant>> {
        let mut state = self.lock();
        let claim = state.next();
        let slots = state.queues.get_mut(name).ok_or(None)?;
        let (message, deliveries) = slots.claim(claim, process, isolate_after)?;
        Ok(Claimed { claim, message, deliveries })
    }

    /// Settles a claimed entry, with a copy in its stead if there is one. `false`: the claim is gone.
    pub(super) fn settle(&self, name: &QueueName, claim: u64, copy: Option<(Destination, Message)>) -> bool {
        self.change(|state| {
            let settled = state.queues.get_mut(name).is_some_and(|slots| slots.settle(claim));
            if let (true, Some((to, message))) = (settled, copy) {
                state.push(to, message);
            }
            settled
        })
    }

    /// Puts a claimed entry back, its worker's death counted.
    pub(super) fn unclaim(&self, name: &QueueName, claim: u64) {
        self.change(|state| state.queues.get_mut(name).into_iter().for_each(|slots| slots.unclaim(claim)));
    }

    /// Puts back all that a process holds.
    pub(super) fn bury(&self, process: u64) {
        self.change(|state| state.queues.values_mut().for_each(|slots| slots.bury(process)));
    }

    pub(super) fn attach(&self, name: &QueueName) {
        *self.lock().consumers.entry(name.clone()).or_default() += 1;
    }

    pub(super) fn detach(&self, name: &QueueName) {
        self.lock().consumers.entry(name.clone()).and_modify(|consumers| *consumers = consumers.saturating_sub(1));
    }

    pub(super) fn info(&self, name: &QueueName) -> Option<QueueInfo> {
        let mut state = self.lock();
        let consumers = state.consumers.get(name).copied().unwrap_or(0);
        let slots = state.queues.get_mut(name)?;
        slots.promote();
        let (ready, delayed, running) = slots.counts();
        Some(QueueInfo {
            ready: Some(ready as u64),
            delayed: Some(delayed as u64),
            running: Some(running as u64),
            consumers: Some(consumers),
            oldest: slots.oldest().map(|due| due.elapsed()),
            kind: Some("memory".into()),
            ..QueueInfo::unknown(name.clone())
        })
    }

    pub(super) fn purge(&self, name: &QueueName) -> u64 {
        self.sweep(name, usize::MAX, &mut |_| Verdict::Delete).deleted
    }

    pub(super) fn sweep(
        &self,
        name: &QueueName,
        limit: usize,
        visit: &mut (dyn for<'m> FnMut(&'m Message) -> Verdict + Send),
    ) -> Swept {
        self.change(|state| {
            let mut swept = Swept::default();
            let ready: Vec<_> = state.queues.get_mut(name).map_or_else(Vec::new, |slots| {
                slots.promote();
                slots.ready().take(limit).collect()
            });
            for slot in ready {
                let Some(slots) = state.queues.get_mut(name) else { break };
                let Some(message) = slots.message(slot.1) else { continue };
                let verdict = visit(message);
                if verdict == Verdict::Stop {
                    break;
                }
                swept.seen += 1;
                match verdict {
                    Verdict::Keep | Verdict::Stop => {}
                    Verdict::Delete => {
                        slots.remove_ready(slot);
                        swept.deleted += 1;
                    }
                    Verdict::Move(to, message) => {
                        slots.remove_ready(slot);
                        state.push(*to, *message);
                        swept.moved += 1;
                    }
                }
            }
            swept
        })
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn push(&mut self, to: Destination, message: Message) {
        let sequence = self.next();
        self.queues.entry(to.queue.name).or_default().push(sequence, message, Instant::now() + to.delay);
    }
}
