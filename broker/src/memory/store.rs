use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, futures::OwnedNotified},
    time::Instant,
};

use crate::{
    Error, Message, QueueInfo, QueueName,
    transport::{Destination, Swept, Verdict},
};

/// Every queue of one transport.
#[derive(Debug, Default)]
pub(super) struct Store {
    state: Mutex<State>,
    changed: std::sync::Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    queues: BTreeMap<QueueName, Slots>,
    sequence: u64,
    closed: bool,
}

/// One queue's entries.
#[derive(Debug, Default)]
struct Slots {
    entries: BTreeMap<u64, Entry>,
    /// Entries whose time has come, in the order of delivery.
    ready: BTreeSet<(Rank, u64)>,
    /// Entries whose time has not.
    delayed: BTreeSet<(Instant, u64)>,
    running: u64,
    consumers: u64,
}

/// Higher priorities first.
type Rank = std::cmp::Reverse<u8>;

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) message: Message,
    /// Deliveries that ended without being settled.
    pub(super) deliveries: u32,
    due: Instant,
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole after every statement: a panicked holder leaves nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when anything has changed since the call.
    pub(super) fn changed(&self) -> OwnedNotified {
        self.changed.clone().notified_owned()
    }

    pub(super) fn check_open(&self) -> Result<(), Error> {
        if self.lock().closed { Err(Error::Closed) } else { Ok(()) }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_waiters();
    }

    pub(super) fn declare(&self, name: &QueueName) {
        self.lock().queues.entry(name.clone()).or_default();
    }

    pub(super) fn delete(&self, name: &QueueName) {
        self.lock().queues.remove(name);
    }

    pub(super) fn names(&self) -> Vec<QueueName> {
        self.lock().queues.keys().cloned().collect()
    }

    pub(super) fn push(&self, name: &QueueName, delay: Duration, message: Message, deliveries: u32) {
        self.lock().push(name, Entry { message, deliveries, due: Instant::now() + delay });
        self.changed.notify_waiters();
    }

    /// The next entry to deliver, or when to ask again.
    pub(super) fn claim(&self, name: &QueueName) -> Result<(u64, Entry), Option<Instant>> {
        let mut state = self.lock();
        let Some(slots) = state.queues.get_mut(name) else { return Err(None) };
        slots.promote();
        match slots.ready.pop_first() {
            Some((_, sequence)) => {
                // `ready` names only entries that are there.
                let entry = slots.entries.get(&sequence).cloned().ok_or(None)?;
                slots.running += 1;
                Ok((sequence, entry))
            }
            None => Err(slots.delayed.first().map(|(due, _)| *due)),
        }
    }

    /// Settles a claimed entry, with a copy in its stead if there is one. `false`: it is no longer there.
    pub(super) fn settle(&self, name: &QueueName, sequence: u64, copy: Option<(Destination, Message)>) -> bool {
        let mut state = self.lock();
        let held = state.queues.get_mut(name).is_some_and(|slots| {
            let held = slots.entries.remove(&sequence).is_some();
            slots.running -= u64::from(held);
            held
        });
        if let (true, Some((to, message))) = (held, copy) {
            state.push(&to.queue.name, Entry { message, deliveries: 0, due: Instant::now() + to.delay });
        }
        drop(state);
        self.changed.notify_waiters();
        held
    }

    /// Puts a claimed entry back where it was; `counted` when its worker died with it.
    pub(super) fn unclaim(&self, name: &QueueName, sequence: u64, counted: bool) {
        let mut state = self.lock();
        if let Some(slots) = state.queues.get_mut(name)
            && let Some(entry) = slots.entries.get_mut(&sequence)
        {
            entry.deliveries += u32::from(counted);
            slots.ready.insert((std::cmp::Reverse(entry.message.priority()), sequence));
            slots.running -= 1;
        }
        drop(state);
        self.changed.notify_waiters();
    }

    pub(super) fn attach(&self, name: &QueueName, attached: bool) {
        let mut state = self.lock();
        let slots = state.queues.entry(name.clone()).or_default();
        slots.consumers = if attached { slots.consumers + 1 } else { slots.consumers.saturating_sub(1) };
    }

    pub(super) fn info(&self, name: &QueueName) -> Option<QueueInfo> {
        let mut state = self.lock();
        let slots = state.queues.get_mut(name)?;
        slots.promote();
        let oldest = slots.ready.iter().filter_map(|(_, sequence)| Some(slots.entries.get(sequence)?.due)).min();
        Some(QueueInfo {
            ready: Some(slots.ready.len() as u64),
            delayed: Some(slots.delayed.len() as u64),
            running: Some(slots.running),
            consumers: Some(slots.consumers),
            oldest: oldest.map(|due| due.elapsed()),
            kind: Some("memory".into()),
            ..QueueInfo::unknown(name.clone())
        })
    }

    pub(super) fn purge(&self, name: &QueueName) -> u64 {
        let mut state = self.lock();
        let Some(slots) = state.queues.get_mut(name) else { return 0 };
        slots.promote();
        let ready = std::mem::take(&mut slots.ready);
        for (_, sequence) in &ready {
            slots.entries.remove(sequence);
        }
        drop(state);
        self.changed.notify_waiters();
        ready.len() as u64
    }

    pub(super) fn sweep(
        &self,
        name: &QueueName,
        limit: usize,
        visit: &mut (dyn for<'m> FnMut(&'m Message) -> Verdict + Send),
    ) -> Swept {
        let mut state = self.lock();
        let mut swept = Swept::default();
        let ready: Vec<(Rank, u64)> = match state.queues.get_mut(name) {
            Some(slots) => {
                slots.promote();
                slots.ready.iter().take(limit).copied().collect()
            }
            None => Vec::new(),
        };
        for slot in ready {
            let Some(slots) = state.queues.get_mut(name) else { break };
            let Some(entry) = slots.entries.get(&slot.1) else { continue };
            let verdict = visit(&entry.message);
            if verdict == Verdict::Stop {
                break;
            }
            swept.seen += 1;
            if verdict == Verdict::Keep {
                continue;
            }
            slots.ready.remove(&slot);
            slots.entries.remove(&slot.1);
            if let Verdict::Move(to, message) = verdict {
                state.push(&to.queue.name, Entry { message: *message, deliveries: 0, due: Instant::now() + to.delay });
                swept.moved += 1;
            } else {
                swept.deleted += 1;
            }
        }
        drop(state);
        self.changed.notify_waiters();
        swept
    }
}

impl State {
    fn push(&mut self, name: &QueueName, entry: Entry) {
        self.sequence += 1;
        let slots = self.queues.entry(name.clone()).or_default();
        slots.delayed.insert((entry.due, self.sequence));
        slots.entries.insert(self.sequence, entry);
        slots.promote();
    }
}

impl Slots {
    /// Makes ready what is due.
    fn promote(&mut self) {
        let now = Instant::now();
        while let Some(&(due, sequence)) = self.delayed.first()
            && due <= now
        {
            self.delayed.pop_first();
            if let Some(entry) = self.entries.get(&sequence) {
                self.ready.insert((std::cmp::Reverse(entry.message.priority()), sequence));
            }
        }
    }
}
