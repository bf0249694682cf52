//! Without the feature `otel`: spans are in no trace.

use tracing::Span;

use super::TraceContext;

pub(super) const fn active() -> Option<TraceContext> {
    None
}

pub(super) fn adopt(_context: &TraceContext, _span: &Span) {}
