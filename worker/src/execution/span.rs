//! The span of a run: what each line that a task logs says of it.

use celeriac_broker::{
    Delivery, Outcome,
    message::{Tags, TraceContext, names},
};
use tracing::{Span, field};

use crate::identity;

/// The span of one delivery, in the trace of its message. It is nobody's child here.
pub(super) fn of(delivery: &Delivery) -> Span {
    let headers = &delivery.message.headers;
    let span = tracing::info_span!(
        parent: None,
        "celeriac.run",
        otel.kind = TraceContext::kind("consumer"),
        otel.status_code = field::Empty,
        worker = identity::worker(),
        hostname = identity::host(),
        task = headers.text(names::TASK),
        task_id = headers.text(names::ID),
        queue = delivery.queue.name.as_str(),
        attempt = headers.int(names::RETRIES).unwrap_or(0).max(0).saturating_add(1),
        tags = field::Empty,
    );
    if cfg!(feature = "otel")
        && !span.is_disabled()
        && let Some(trace) = TraceContext::read(headers)
    {
        trace.adopt(&span);
    }
    span
}

/// Says what a run is tagged with.
pub(crate) fn tag(span: &Span, tags: &Tags) {
    if !tags.is_empty() {
        span.record("tags", field::display(tags));
    }
}

/// Says in a trace that an attempt has failed.
pub(super) fn ended(outcome: Outcome) {
    if cfg!(feature = "otel") && matches!(outcome, Outcome::Failed | Outcome::Rejected | Outcome::Retried) {
        Span::current().record("otel.status_code", "ERROR");
    }
}
