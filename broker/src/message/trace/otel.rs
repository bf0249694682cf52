use std::str::FromStr as _;

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::TraceContext;

pub(super) fn active() -> Option<TraceContext> {
    let here = Span::current().context();
    // A span that the layer leaves out stands in the trace of those around it.
    let context = if here.span().span_context().is_valid() { here } else { Context::current() };
    let span = context.span();
    let span = span.span_context();
    let state = span.trace_state().header();
    span.is_valid().then(|| TraceContext {
        parent: format!(
            "00-{}-{}-{:02x}",
            span.trace_id(),
            span.span_id(),
            span.trace_flags().to_u8() & TraceFlags::SAMPLED.to_u8()
        )
        .into(),
        state: (!state.is_empty()).then(|| state.into()),
    })
}

pub(super) fn adopt(context: &TraceContext, span: &Span) {
    if let Some(remote) = remote(context) {
        // Fails where no layer of OpenTelemetry is there; then nobody follows traces.
        let _ = span.set_parent(Context::new().with_remote_span_context(remote));
    }
}

/// What was checked when it was read.
fn remote(context: &TraceContext) -> Option<SpanContext> {
    let mut parts = context.parent.split('-').skip(1);
    let trace = TraceId::from_hex(parts.next()?).ok()?;
    let span = SpanId::from_hex(parts.next()?).ok()?;
    let flags = TraceFlags::new(u8::from_str_radix(parts.next()?, 16).ok()?) & TraceFlags::SAMPLED;
    let state = context.state.as_deref().and_then(|state| TraceState::from_str(state).ok()).unwrap_or_default();
    Some(SpanContext::new(trace, span, flags, true, state))
}
