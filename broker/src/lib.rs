//! What travels, and how: tasks, messages, queues, retry policies, and the brokers that carry them.
//!
//! | module | holds |
//! |---|---|
//! | [`task`] | [`Task`]: a named unit of work with typed arguments; [`TaskOptions`] beside it |
//! | [`duration`] | durations as people write them |
//! | [`retry`] | [`RetryPolicy`], [`Backoff`], [`Jitter`]: from an attempt's number to its delay |
//! | [`message`] | [`Message`]: a task as sent, in Celery's protocol 2; [`Request`]: the same, decoded |
//! | [`queue`] | [`Queue`] and [`QueueName`] |
//! | [`broker`] | [`Broker`]: the handle that users hold; publishing |
//! | [`transport`] | [`Transport`]: the way a broker is reached; [`Delivery`]: one arrival of a message |
//! | [`stats`] | what a handle has done so far, in numbers |
//! | [`amqp`] | RabbitMQ (feature `amqp`) |
//! | [`memory`] | a transport for tests |
//! | `sqlite` | a transport over one file, by the feature of that name |
//! | `conformance` | what every transport must do, by the feature of that name |
//!
//! A [`Broker`] is a cheap handle over one [`Transport`], chosen by the scheme of its URL.

#[cfg(feature = "amqp")]
pub mod amqp;
pub mod broker;
pub mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod duration;
pub mod error;
pub mod memory;
pub mod message;
pub mod outcome;
pub mod queue;
pub mod retry;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod stats;
pub mod task;
pub mod transport;
mod url;

pub use broker::{Broker, BrokerBuilder, Draft, Sent, Untyped};
pub use clock::Clock;
pub use error::Error;
pub use message::{HeaderValue, Headers, Message, Properties, Request};
pub use outcome::{Outcome, PublishFault, Reason};
pub use queue::{Queue, QueueInfo, QueueKind, QueueName};
pub use retry::{Backoff, Jitter, RetryPolicy};
pub use task::{
    Arg, Busy, DeclaredLock, LockKind, LockPart, LockSpec, LockWeight, Pace, Task, TaskError, TaskId, TaskOptions,
};
pub use transport::{Consumer, Delivery, Destination, Transport};
pub use url::BrokerUrl;
