use bytes::Bytes;
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use super::{fault::Fault, reading::Read};
use crate::{QueueName, transport::Verdict};

/// What the writing thread is asked. Every change is answered after it is committed.
pub(super) enum Command {
    /// A change; `ticket` tells whether it had begun when its caller gave up.
    Write { write: Write, ticket: u64, answer: oneshot::Sender<Result<Done, Fault>> },
    /// A look at the file that changes nothing.
    Read(Read),
    /// A consumer begins.
    Attach(Attach, oneshot::Sender<Result<Done, Fault>>),
    /// It fetches no more, and gives back what it never handed out.
    Detach { consumer: u64, unread: Vec<Claimed>, answer: Option<oneshot::Sender<Result<Done, Fault>>> },
    /// A delivery was dropped unsettled; `counted` where that is its worker's death.
    Drop { claim: Claim, counted: bool },
    /// The end.
    Close(oneshot::Sender<()>),
}

/// A change to the messages. It may be tried twice: alone, when it failed in company.
pub(super) enum Write {
    /// Opens the file, nothing else.
    Ping,
    Publish(Entry),
    /// Removes a claimed message, and puts the copy in its stead. Where it fails, the message is still claimed.
    Settle(Claim, Option<Box<Entry>>),
    Declare(Vec<QueueName>),
    Purge(QueueName),
    Delete(QueueName),
    /// Makes ready what is due, some of it; for those who look at a queue that nobody consumes.
    Promote,
    /// What a sweep decided on each message that it looked at.
    Apply(QueueName, Vec<(i64, Sentence)>),
}

/// A verdict, with the copy put together.
pub(super) enum Sentence {
    Delete,
    Move(Entry),
}

impl Sentence {
    /// `None` for what stays.
    pub(super) fn of(verdict: Verdict) -> Option<Self> {
        match verdict {
            Verdict::Delete => Some(Self::Delete),
            Verdict::Move(to, message) => Some(Self::Move(Entry::new(&to, *message))),
            Verdict::Keep | Verdict::Stop => None,
        }
    }
}

/// What a change did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Done {
    /// Messages deleted, settled or made ready.
    pub(super) gone: u64,
    /// Messages moved.
    pub(super) moved: u64,
}

/// A message about to be written.
pub(super) struct Entry {
    pub(super) queue: QueueName,
    /// Microseconds since 1970; 0 is at once.
    pub(super) due: i64,
    pub(super) priority: u8,
    /// Deaths of earlier copies.
    pub(super) deaths: u32,
    pub(super) head: Vec<u8>,
    pub(super) body: Bytes,
}

/// Who has a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Claim {
    pub(super) id: i64,
    /// The process, until it is buried; then it takes another number.
    pub(super) owner: i64,
    pub(super) consumer: u64,
}

/// A message on its way to a consumer.
#[derive(Debug)]
pub(super) struct Claimed {
    pub(super) claim: Claim,
    /// The order of delivery: the highest priority first, then the oldest.
    pub(super) order: (std::cmp::Reverse<i64>, i64, i64),
    pub(super) deliveries: u32,
    pub(super) head: Vec<u8>,
    pub(super) body: Vec<u8>,
}

/// A consumer's wishes.
pub(super) struct Attach {
    pub(super) consumer: u64,
    pub(super) queue: QueueName,
    pub(super) prefetch: usize,
    pub(super) isolate_after: u32,
    /// Bounded by `prefetch`: no more is claimed than may be unsettled.
    pub(super) claimed: UnboundedSender<Vec<Claimed>>,
}
