//! Where traces and failures go besides the log, as far as this program was built for it.

use celeriac_worker::WorkerBuilder;
#[cfg(feature = "otel")]
use tracing::Subscriber;
use tracing_subscriber::Layer;
#[cfg(not(feature = "otel"))]
use tracing_subscriber::layer::Identity;
#[cfg(feature = "otel")]
use tracing_subscriber::registry::LookupSpan;

use crate::Error;

/// What the environment asks for; sends what is left when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    #[cfg(feature = "otel")]
    traces: Option<celeriac_telemetry::Traces>,
    #[cfg(feature = "sentry")]
    sentry: Option<celeriac_telemetry::SentryGuard>,
}

impl Telemetry {
    /// What the environment asks of the program `name`.
    #[cfg_attr(not(feature = "otel"), allow(unused_variables, reason = "traces name the program"))]
    #[cfg_attr(
        not(any(feature = "otel", feature = "sentry")),
        allow(clippy::unnecessary_wraps, reason = "settings are read")
    )]
    pub(crate) fn start(name: &str) -> Result<Self, Error> {
        #[cfg(any(feature = "otel", feature = "sentry"))]
        let usage = |fault: celeriac_telemetry::Error| Error::Usage(fault.to_string());
        Ok(Self {
            #[cfg(feature = "otel")]
            traces: celeriac_telemetry::Traces::from_env(name).map_err(usage)?,
            #[cfg(feature = "sentry")]
            sentry: celeriac_telemetry::Sentry::init().map_err(usage)?,
        })
    }

    /// Follows spans.
    #[cfg(feature = "otel")]
    pub(crate) fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        self.traces.as_ref().map(celeriac_telemetry::Traces::layer)
    }

    /// Follows nothing.
    #[cfg(not(feature = "otel"))]
    #[expect(clippy::unused_self, reason = "it is asked as with the feature")]
    pub(crate) fn layer<S: tracing::Subscriber>(&self) -> Option<impl Layer<S> + use<S>> {
        None::<Identity>
    }

    /// The worker, reporting what fails.
    #[cfg_attr(not(feature = "sentry"), expect(clippy::unused_self, reason = "it is asked as with the feature"))]
    pub(crate) fn watch<S: Send + Sync + 'static>(&self, worker: WorkerBuilder<S>) -> WorkerBuilder<S> {
        #[cfg(feature = "sentry")]
        if self.sentry.is_some() {
            return worker.middleware(celeriac_telemetry::Sentry);
        }
        worker
    }
}
