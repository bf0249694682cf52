//! Sends traces to a collector and failures to Sentry. `celeriac::cli::run` does so where the environment says where to; a program
//! with a subscriber or a client of its own adds what is here.
//!
//! | item | by the feature | holds |
//! |---|---|---|
//! | `Traces` | `otel` | spans to a collector, by OTLP over HTTP |
//! | `Sentry` | `sentry` | failures that are not retried, to Sentry |
//!
//! `https://` addresses need the feature `tls`.

#[cfg(any(feature = "otel", feature = "sentry"))]
mod environment;
#[cfg(feature = "otel")]
mod http;
#[cfg(feature = "sentry")]
mod sentry;
#[cfg(feature = "otel")]
mod traces;

#[cfg(feature = "sentry")]
pub use crate::sentry::{Sentry, SentryGuard};
#[cfg(feature = "otel")]
pub use crate::traces::Traces;

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {fault}")]
#[non_exhaustive]
pub struct Error {
    /// The environment variable.
    pub setting: &'static str,
    /// What is wrong.
    pub fault: String,
}
