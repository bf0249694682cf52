//! Acknowledgements of one channel, several in one frame where the broker's rules allow it.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use lapin::{Channel, options::BasicAckOptions};
use tokio::{
    sync::{Semaphore, SemaphorePermit, mpsc, oneshot},
    time::Instant,
};
use tokio_util::task::TaskTracker;

/// How many settlements are taken up at once. Their number is bounded by the prefetch anyway.
const BATCH: usize = 4096;

/// A channel that deliveries came on. It stays open until the last of them is settled or dropped.
pub(super) struct AckChannel {
    channel: Channel,
    settled: mpsc::Sender<Settled>,
    delivered: AtomicU64,
    released: AtomicU64,
    /// Taken while a batch is sent.
    gate: Arc<Semaphore>,
}

impl fmt::Debug for AckChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AckChannel").field("alive", &self.is_alive()).finish_non_exhaustive()
    }
}

struct Settled {
    tag: u64,
    sent: oneshot::Sender<bool>,
}

impl AckChannel {
    pub(super) fn new(channel: Channel, acks: &Acks) -> Self {
        let (settled, receiver) = mpsc::channel(BATCH);
        let gate = Arc::new(Semaphore::new(1));
        acks.running.spawn(run(channel.clone(), receiver, gate.clone(), acks.last.clone()));
        Self { channel, settled, delivered: AtomicU64::new(0), released: AtomicU64::new(0), gate }
    }

    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Whether what came on this channel is still ours.
    pub(super) fn is_alive(&self) -> bool {
        self.channel.status().connected()
    }

    /// Sends nothing for as long as the permit lives. What is settled meanwhile is sent after it.
    pub(super) async fn hold(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed.
        self.gate.acquire().await.ok()
    }

    /// Counts a delivery that was taken from this channel.
    pub(super) fn delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a delivery that nobody holds any more, settled or not.
    pub(super) fn released(&self) {
        self.released.fetch_add(1, Ordering::Relaxed);
    }

    /// How many deliveries there were.
    pub(super) fn deliveries(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// How many of them somebody still holds.
    pub(super) fn unsettled(&self) -> u64 {
        self.deliveries().saturating_sub(self.released.load(Ordering::Relaxed))
    }

    /// Acknowledges one delivery; `false` where the channel is gone and the broker has taken it back.
    pub(super) async fn ack(&self, tag: u64) -> bool {
        let (sent, answer) = oneshot::channel();
        self.settled.send(Settled { tag, sent }).await.is_ok() && answer.await.unwrap_or(false)
    }
}

/// The acknowledgements of one transport.
///
/// A quorum queue's acknowledgements take their time behind the broker's door: with more than 32 on their way, it keeps the rest
/// in its end of the channel, and forgets them when that is closed. A channel therefore stays open for a while after its last.
#[derive(Debug, Default)]
pub(super) struct Acks {
    running: TaskTracker,
    /// When the last frame was sent.
    last: Arc<Mutex<Option<Instant>>>,
}

impl Acks {
    /// How long a channel stays open after its last acknowledgement. A write to the broker's disk and back, twice; then some.
    const LINGER: Duration = Duration::from_millis(500);

    /// Resolves when the last acknowledgement of any channel is old enough for the connection to be closed.
    pub(super) async fn settle_down(&self) {
        linger(&self.last).await;
    }
}

async fn linger(last: &Mutex<Option<Instant>>) {
    let at = || *last.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some(until) = at().map(|last| last + Acks::LINGER).filter(|until| *until > Instant::now()) {
        tokio::time::sleep_until(until).await;
    }
}

/// While one batch is handed to the connection, the next one gathers: the busier, the fewer frames.
async fn run(
    channel: Channel,
    mut settled: mpsc::Receiver<Settled>,
    gate: Arc<Semaphore>,
    last: Arc<Mutex<Option<Instant>>>,
) {
    let own = Mutex::new(None);
    let mut book = Book::default();
    let mut batch = Vec::new();
    while settled.recv_many(&mut batch, BATCH).await > 0 {
        let _sending = gate.acquire().await;
        for settled in &batch {
            book.settle(settled.tag);
        }
        // All frames are queued, in order, before the first is waited for.
        let acks =
            book.take().into_iter().map(|ack| channel.basic_ack(ack.tag, BasicAckOptions { multiple: ack.multiple }));
        let sent = join_all(acks).await.iter().all(Result::is_ok);
        for last in [&own, &*last] {
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        for settled in batch.drain(..) {
            // Nobody waits for it where the ack's future was dropped.
            let _ = settled.sent.send(sent);
        }
    }
    // Nobody holds a delivery of this channel any more, or can: it closes with this future.
    linger(&own).await;
}

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ack {
    tag: u64,
    /// Covers every unacknowledged tag below as well.
    multiple: bool,
}

/// Which tags of a channel are settled. The broker numbers its deliveries 1, 2, 3...
#[derive(Debug, Default)]
struct Book {
    /// Every tag up to here is settled.
    through: u64,
    /// Settled tags above.
    beyond: BTreeSet<u64>,
    /// Settled tags that no frame was made for yet.
    unsent: BTreeSet<u64>,
}

impl Book {
    fn settle(&mut self, tag: u64) {
        self.unsent.insert(tag);
        if tag != self.through + 1 {
            self.beyond.insert(tag);
            return;
        }
        self.through = tag;
        while self.beyond.first() == Some(&(self.through + 1)) {
            self.beyond.pop_first();
            self.through += 1;
        }
    }

    /// The frames that acknowledge what was settled since the last call. A `multiple` one ends at a tag that the broker still
    /// holds (it refuses others), below which nothing is unsettled; what is settled beyond is acknowledged one by one.
    fn take(&mut self) -> Vec<Ack> {
        let beyond = self.unsent.split_off(&(self.through + 1));
        let prefix = std::mem::take(&mut self.unsent);
        let prefix = prefix.last().map(|tag| Ack { tag: *tag, multiple: true });
        prefix.into_iter().chain(beyond.into_iter().map(|tag| Ack { tag, multiple: false })).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A broker's side of a channel, as strict as RabbitMQ's.
    struct Unacked(BTreeSet<u64>);

    impl Unacked {
        fn apply(&mut self, ack: Ack) -> Vec<u64> {
            assert!(self.0.contains(&ack.tag), "unknown delivery tag {}", ack.tag);
            let gone: Vec<u64> =
                self.0.iter().copied().filter(|tag| *tag == ack.tag || ack.multiple && *tag < ack.tag).collect();
            self.0.retain(|tag| !gone.contains(tag));
            gone
        }
    }

    proptest! {
        #[test]
        fn every_settled_delivery_is_acknowledged_once_and_no_other_ever(
            order in Just((1..=60_u64).collect::<Vec<_>>()).prop_shuffle(),
            settled in 0..60_usize,
            cuts in proptest::collection::vec(any::<bool>(), 60),
        ) {
            let (mut book, mut broker) = (Book::default(), Unacked((1..=60).collect()));
            let (mut open, mut acked) = (BTreeSet::new(), BTreeSet::new());
            for (tag, cut) in order.iter().take(settled).zip(cuts) {
                book.settle(*tag);
                open.insert(*tag);
                if cut {
                    for ack in book.take() {
                        for tag in broker.apply(ack) {
                            prop_assert!(open.contains(&tag), "{tag} was acknowledged unsettled");
                            prop_assert!(acked.insert(tag), "{tag} was acknowledged twice");
                        }
                    }
                    prop_assert_eq!(&acked, &open);
                }
            }
        }
    }

    #[test]
    fn what_is_settled_in_order_is_acknowledged_by_one_frame() {
        let mut book = Book::default();
        (1..=128).for_each(|tag| book.settle(tag));
        assert_eq!(book.take(), [Ack { tag: 128, multiple: true }]);
        assert_eq!(book.take(), []);
    }

    #[test]
    fn what_is_settled_out_of_order_does_not_wait() {
        let mut book = Book::default();
        book.settle(3);
        assert_eq!(book.take(), [Ack { tag: 3, multiple: false }]);
        book.settle(1);
        book.settle(2);
        // Not up to 3, which the broker no longer holds.
        assert_eq!(book.take(), [Ack { tag: 2, multiple: true }]);
        book.settle(4);
        assert_eq!(book.take(), [Ack { tag: 4, multiple: true }]);
    }
}
