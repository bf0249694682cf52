//! What can go wrong between a caller and a broker.

use std::{error::Error as StdError, time::Duration};

use crate::{QueueName, TaskId};

/// A cause that is kept for its text, without naming the library it comes from.
pub type Cause = Box<dyn StdError + Send + Sync>;

/// What can go wrong between a caller and a broker. A variant exists where a caller would act differently.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No address of the broker answered, or none in time with a connection, a channel and the queue, which may have been waited for to
    /// confirm an earlier message; nothing was published. Trying again later may work.
    #[error("the broker at {address} is unreachable")]
    Unreachable {
        /// The addresses, without passwords.
        address: String,
        /// What the last attempt said.
        source: Cause,
    },

    /// The broker refused: wrong credentials, no such virtual host, no permission. Trying again won't help.
    #[error("the broker at {address} refused: {message}")]
    Refused {
        /// The addresses, without passwords.
        address: String,
        /// What it said.
        message: String,
    },

    /// The broker takes no messages for now (memory or disk alarm); nothing was published.
    #[error("the broker at {address} is blocked: {message}")]
    Blocked {
        /// The addresses, without passwords.
        address: String,
        /// What it said.
        message: String,
    },

    /// The message was sent and its confirmation did not come: it may or may not be published.
    /// Publishing again with the same id keeps the duplicate visible.
    #[error("task {id} was sent to queue {queue} but not confirmed: it may have been published")]
    Unconfirmed {
        /// The task's id.
        id: TaskId,
        /// The queue.
        queue: QueueName,
        /// What happened instead of the confirmation.
        source: Cause,
    },

    /// The broker has no such queue; nothing was published.
    #[error("task {id} could not be routed: the broker has no queue {queue}")]
    Unroutable {
        /// The task's id.
        id: TaskId,
        /// The queue.
        queue: QueueName,
    },

    /// The broker said no to this message, as often as it was offered for most of the publish timeout (a queue at its
    /// limit, or one without a leader); it was not published.
    #[error("the broker rejected task {id} for queue {queue}")]
    Nacked {
        /// The task's id.
        id: TaskId,
        /// The queue.
        queue: QueueName,
    },

    /// The message is larger than `max_message_bytes`; it was not sent.
    #[error(
        "task {id} has a body of {size} bytes, and the limit is {limit}; pass a reference to the data, or raise max_message_bytes"
    )]
    TooLarge {
        /// The task's id.
        id: TaskId,
        /// The body's size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },

    /// A delay past what the transports can hold.
    #[error("a delay of {asked:?} is more than the {max:?} that a broker can hold; keep such tasks in a schedule")]
    DelayTooLong {
        /// What was asked.
        asked: Duration,
        /// The longest delay.
        max: Duration,
    },

    /// A priority above 9.
    #[error("priority {asked} is out of range: 0 (lowest) to 9")]
    InvalidPriority {
        /// What was asked.
        asked: u8,
    },

    /// A queue name that a broker can't take.
    #[error("the queue name {name:?} can't be used: {fault}")]
    InvalidQueueName {
        /// The name, cut at 80 characters.
        name: String,
        /// What is wrong with it.
        fault: String,
    },

    /// A header that starts with `celeriac-`, or one that the protocol defines.
    #[error("the header {name:?} is reserved; choose another name")]
    ReservedHeader {
        /// The header's name.
        name: String,
    },

    /// A setting that can't be.
    #[error("{setting}: {fault}")]
    Config {
        /// The setting's name.
        setting: String,
        /// What is wrong, and what would be right.
        fault: String,
    },

    /// The arguments do not serialise to JSON.
    #[error("the arguments of task {task} do not serialise to a JSON object")]
    Encode {
        /// The task's name.
        task: String,
        /// Why.
        source: Cause,
    },

    /// The delivery belongs to a connection or a claim that is gone: the broker has given it, or will give it, to somebody else.
    #[error("the delivery of task {id} was lost before it was settled; it is delivered again")]
    DeliveryLost {
        /// The task's id.
        id: TaskId,
    },

    /// The store failed: disk full, not a database, a network file system.
    #[error("the store at {address} failed: {message}")]
    Store {
        /// The file.
        address: String,
        /// What it said, and what would mend it.
        message: String,
    },

    /// This transport can't do it.
    #[error("{what} is not possible over {transport}")]
    Unsupported {
        /// What was asked.
        what: String,
        /// The transport.
        transport: &'static str,
    },

    /// The broker's handle was closed.
    #[error("the broker was closed")]
    Closed,
}
