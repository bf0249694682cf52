use std::{fmt, time::Duration};

use celeriac_broker::broker::host;
use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

use crate::{Error, environment, http::Client};

/// Where spans go: a collector, by OTLP over HTTP (`http/protobuf`).
///
/// Spans are sent in batches by a thread of their own. A collector that is away, or too slow, costs spans and no task; what is left is
/// sent when this is dropped, for at most [`Traces::FLUSH`].
///
/// ```no_run
/// use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};
///
/// # fn example() -> Result<(), celeriac_telemetry::Error> {
/// let traces = celeriac_telemetry::Traces::from_env("billing")?;
/// let lines = tracing_subscriber::fmt::layer();
/// tracing_subscriber::registry().with(lines).with(traces.as_ref().map(|traces| traces.layer())).init();
/// // .. until the end of the program:
/// drop(traces);
/// # Ok(()) }
/// ```
#[must_use = "what is not sent yet is sent when this is dropped"]
pub struct Traces {
    provider: SdkTracerProvider,
}

/// The variables of OpenTelemetry that are read here. The SDK reads more: samplers, batches, limits, resources, headers.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const TRACES_PROTOCOL: &str = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL";
const TIMEOUT: &str = "OTEL_EXPORTER_OTLP_TIMEOUT";
const TRACES_TIMEOUT: &str = "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT";
const DISABLED: &str = "OTEL_SDK_DISABLED";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const SERVICE: &str = "OTEL_SERVICE_NAME";

impl Traces {
    /// How long dropping may take: 5 s.
    pub const FLUSH: Duration = Duration::from_secs(5);

    /// How long one batch may take where `OTEL_EXPORTER_OTLP_TIMEOUT` does not say: 10 s.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

    /// The collector that `OTEL_EXPORTER_OTLP_ENDPOINT` (or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) names; `None` where neither is set,
    /// `OTEL_SDK_DISABLED` is `true`, or `OTEL_TRACES_EXPORTER` is `none`. `service` is what the spans are from where
    /// `OTEL_SERVICE_NAME` does not say. No I/O.
    ///
    /// # Errors
    /// [`Error`] where a variable can't be read.
    pub fn from_env(service: &str) -> Result<Option<Self>, Error> {
        let (general, own) = (environment::text(ENDPOINT)?, environment::text(TRACES_ENDPOINT)?);
        let off = environment::text(DISABLED)?.is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let none = environment::text(EXPORTER)?.is_some_and(|value| value == "none");
        let (setting, endpoint) = match (general, own) {
            _ if off || none => return Ok(None),
            (_, Some(own)) => (TRACES_ENDPOINT, own),
            (Some(general), None) => (ENDPOINT, general),
            (None, None) => return Ok(None),
        };
        environment::reachable(setting, &endpoint)?;
        for setting in [TRACES_PROTOCOL, PROTOCOL] {
            if let Some(protocol) = environment::text(setting)?.filter(|protocol| protocol != "http/protobuf") {
                return Err(Error { setting, fault: format!("{protocol:?} is not spoken here; http/protobuf is") });
            }
        }
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(Client::new(timeout()?))
            .build()
            .map_err(|fault| Error { setting, fault: fault.to_string() })?;
        let service = environment::text(SERVICE)?.unwrap_or_else(|| service.to_owned());
        let resource = Resource::builder()
            .with_service_name(service)
            .with_attributes([
                KeyValue::new("host.name", host()),
                KeyValue::new("process.pid", i64::from(std::process::id())),
            ])
            .build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        Ok(Some(Self { provider }))
    }

    /// A layer for a subscriber. It follows spans and events of level INFO and above, and every span of Celeriac's.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let mut wanted = Targets::new().with_default(LevelFilter::INFO);
        for ours in ["celeriac_broker", "celeriac_mutex", "celeriac_worker"] {
            wanted = wanted.with_target(ours, LevelFilter::DEBUG);
        }
        // What exporting says of itself would be exported in turn.
        for silent in ["opentelemetry", "opentelemetry_sdk", "opentelemetry_otlp", "lapin"] {
            wanted = wanted.with_target(silent, LevelFilter::OFF);
        }
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("celeriac"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(wanted)
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(fault) = self.provider.shutdown_with_timeout(Self::FLUSH) {
            tracing::warn!(%fault, "the last spans could not be sent");
        }
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").finish_non_exhaustive()
    }
}

fn timeout() -> Result<Duration, Error> {
    for setting in [TRACES_TIMEOUT, TIMEOUT] {
        if let Some(text) = environment::text(setting)? {
            let millis = text.parse().map_err(|_| Error { setting, fault: format!("{text:?} is no number of ms") })?;
            return Ok(Duration::from_millis(millis));
        }
    }
    Ok(Traces::DEFAULT_TIMEOUT)
}
