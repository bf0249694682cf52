//! A Celery-style task queue: tasks, retries, time limits and dead letters, on a SQLite file or on RabbitMQ.
//!
//! ```no_run
//! use celeriac::prelude::*;
//!
//! #[task(name = "math.add", queue = "math")]
//! async fn add(_ctx: Context<()>, x: i64, y: i64) -> Result<i64, TaskError> {
//!     Ok(x + y)
//! }
//!
//! # async fn produce() -> Result<(), Box<dyn std::error::Error>> {
//! // A producer. The broker is `CELERIAC_BROKER_URL`, or the file celeriac.db in the current folder.
//! let broker = Broker::from_env()?;
//! broker.publish(Add { x: 2, y: 3 }).await?;
//! # Ok(()) }
//!
//! # async fn work() -> Result<(), Box<dyn std::error::Error>> {
//! // A worker.
//! Worker::builder().register::<Add>().pool("math", Pool::new(8)).build()?.run().await?;
//! # Ok(()) }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`prelude`] | what most programs name |
//! | [`task`](mod@task) | [`Task`]: a named unit of work with typed arguments; [`TaskError`], [`TaskOptions`] |
//! | [`broker`], [`queue`], [`transport`] | [`Broker`]: publishes tasks to queues, and what carries them |
//! | [`message`] | [`Message`]: a task as sent, in Celery's protocol 2 |
//! | [`retry`], [`outcome`], [`duration`] | [`RetryPolicy`]; what became of a delivery, and why; durations as text |
//! | `worker` | `Worker`, `Pool`, `Handler`, `Context`, `Middleware` (feature `worker`) |
//! | `mutex` | mutexes, semaphores and rate limits over many processes, with or without tasks (feature `worker`) |
//! | `metrics` | metrics for Prometheus and health for probes (feature `metrics`) |
//! | `telemetry` | traces to a collector, failures to Sentry (features `otel`, `sentry`) |
//! | `harness` | tests of tasks without a broker (feature `worker`) |
//! | `cli` | a worker command and the operator's verbs in your own binary (feature `cli`) |
//!
//! | feature | default | holds |
//! |---|---|---|
//! | `worker` | yes | running tasks; a service that only publishes can leave it out |
//! | `macros` | yes | `#[task]` |
//! | `sqlite` | yes | the embedded broker |
//! | `amqp` | yes | RabbitMQ |
//! | `redis` | no | leases in Redis |
//! | `metrics` | no | `Worker::builder().metrics_addr(..)`, `celeriac::metrics` |
//! | `otel` | no | runs and publishes as spans in traces of OpenTelemetry, `telemetry::Traces` |
//! | `sentry` | no | `telemetry::Sentry` |
//! | `tls` | no | `amqps://`; `https://` for `otel` and `sentry` |
//! | `cli` | no | `celeriac::cli` |

#[doc(inline)]
pub use celeriac_broker::{
    Arg, Backoff, Broker, BrokerBuilder, BrokerUrl, Busy, Clock, Consumer, DeclaredLock, Delivery, Destination, Draft,
    Error, HeaderValue, Headers, Jitter, LockKind, LockPart, LockSpec, LockWeight, Message, Outcome, Pace, Properties,
    PublishFault, Queue, QueueInfo, QueueKind, QueueName, Reason, Request, RetryPolicy, Sent, Task, TaskError, TaskId,
    TaskOptions, Transport, Untyped, broker, clock, duration, error, memory, message, outcome, queue, retry, task,
    transport,
};
#[cfg(feature = "cli")]
#[doc(inline)]
pub use celeriac_cli as cli;
#[cfg(feature = "macros")]
#[doc(inline)]
pub use celeriac_macros::task;
#[cfg(any(feature = "otel", feature = "sentry"))]
#[doc(inline)]
pub use celeriac_telemetry as telemetry;
#[cfg(feature = "worker")]
#[doc(no_inline)]
pub use celeriac_worker::async_trait;
#[cfg(all(feature = "worker", feature = "metrics"))]
#[doc(inline)]
pub use celeriac_worker::metrics;
#[cfg(feature = "worker")]
#[doc(no_inline)]
pub use celeriac_worker::mutex::{FencingToken, Lease, LockKey, Locks};
#[cfg(feature = "worker")]
#[doc(inline)]
pub use celeriac_worker::{
    self as worker, CancelReason, Check, Context, DrainReport, Failure, Handler, Middleware, Pool, SoftLimit, Tally,
    TaskLease, TaskMutex, TaskSemaphore, Worker, WorkerBuilder, harness, mutex,
};

/// What most programs name.
pub mod prelude {
    #[cfg(feature = "macros")]
    #[doc(no_inline)]
    pub use crate::task;
    #[doc(no_inline)]
    pub use crate::{Broker, Queue, Task, TaskError, TaskOptions};
    #[cfg(feature = "worker")]
    #[doc(no_inline)]
    pub use crate::{Check, Context, Handler, Pool, Worker};
}

/// What `#[task]` names; no part of the API.
#[doc(hidden)]
pub mod __private {
    pub use std::{fmt::Debug, time::Duration};

    pub use celeriac_broker::{
        Arg, Busy, DeclaredLock, Jitter, LockPart, LockSpec, LockWeight, Pace, RetryPolicy, Task, TaskError,
        TaskOptions,
    };
    #[cfg(feature = "worker")]
    pub use celeriac_worker::{Check, Context, Handler, IntoCheck};
    pub use serde;
}
