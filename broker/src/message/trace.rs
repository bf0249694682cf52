#[cfg(feature = "otel")]
mod otel;
#[cfg(not(feature = "otel"))]
#[path = "trace/off.rs"]
mod otel;

use tracing::Span;

use super::{Headers, names};

/// The longest `tracestate` that is handed on, in bytes; what the standard asks for.
const MAX_STATE_LEN: usize = 512;

/// Which trace a message belongs to: the W3C trace context, as it travels in the headers `traceparent` and `tracestate`.
///
/// A message is given the one that is active where it is published; a child of a running task has at least its parent's. Copies
/// (retries, deferrals, dead letters, replays) keep it.
///
/// Spans take part in traces by the feature `otel`. Without it, contexts are handed on as they came.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TraceContext {
    parent: Box<str>,
    state: Option<Box<str>>,
}

impl TraceContext {
    /// The context of a message. One that the standard does not allow is none.
    pub fn read(headers: &Headers) -> Option<Self> {
        let parent = headers.text(names::TRACEPARENT).filter(|parent| is_valid(parent))?;
        let state = headers.text(names::TRACESTATE).filter(|state| (1..=MAX_STATE_LEN).contains(&state.len()));
        Some(Self { parent: parent.into(), state: state.map(Into::into) })
    }

    /// Writes it into a message's headers.
    pub fn write(self, headers: &mut Headers) {
        headers.set(names::TRACEPARENT, String::from(self.parent));
        match self.state {
            Some(state) => headers.set(names::TRACESTATE, String::from(state)),
            None => headers.remove(names::TRACESTATE),
        }
    }

    /// The header `traceparent`: version, trace, span and flags.
    pub fn traceparent(&self) -> &str {
        &self.parent
    }

    /// The header `tracestate`: what vendors add.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The context that is active here; `None` without the feature `otel`, or where no layer of OpenTelemetry has a trace.
    pub fn active() -> Option<Self> {
        otel::active()
    }

    /// Makes what this context names the parent of `span`, which nobody has entered yet. Without the feature `otel` nothing happens.
    pub fn adopt(&self, span: &Span) {
        otel::adopt(self, span);
    }

    /// What a span's field `otel.kind` says, where the feature `otel` is on.
    #[doc(hidden)]
    pub const fn kind(kind: &'static str) -> Option<&'static str> {
        if cfg!(feature = "otel") { Some(kind) } else { None }
    }
}

/// `00-<32 hexadecimal digits>-<16>-<2>`; a later version may have more behind that.
fn is_valid(parent: &str) -> bool {
    let bytes = parent.as_bytes();
    let hex = |range: std::ops::Range<usize>| bytes[range].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let zero = |range: std::ops::Range<usize>| bytes[range].iter().all(|byte| *byte == b'0');
    if bytes.len() < 55 || [2, 35, 52].iter().any(|dash| bytes[*dash] != b'-') {
        return false;
    }
    let length = match &bytes[..2] {
        b"00" => bytes.len() == 55,
        b"ff" => false,
        _ => bytes.len() == 55 || (bytes[55] == b'-' && bytes.len() <= MAX_STATE_LEN),
    };
    length && hex(0..2) && hex(3..35) && hex(36..52) && hex(53..55) && !zero(3..35) && !zero(36..52)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(parent: &str, state: &str) -> Headers {
        let mut headers = Headers::default();
        headers.set(names::TRACEPARENT, parent.to_owned());
        headers.set(names::TRACESTATE, state.to_owned());
        headers
    }

    #[test]
    fn a_context_survives_headers() {
        let read = TraceContext::read(&headers(PARENT, "rojo=1")).expect("a context");
        assert_eq!((read.traceparent(), read.tracestate()), (PARENT, Some("rojo=1")));
        let mut written = Headers::default();
        read.write(&mut written);
        assert_eq!(written, headers(PARENT, "rojo=1"));
    }

    #[test]
    fn what_the_standard_forbids_is_no_context() {
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bé-1",
        ] {
            assert_eq!(TraceContext::read(&headers(wrong, "")), None, "{wrong}");
        }
        let later = format!("01{}-more", &PARENT[2..]);
        assert!(TraceContext::read(&headers(&later, "")).is_some());
    }

    #[test]
    fn a_state_beyond_the_bound_is_left_out() {
        let read = TraceContext::read(&headers(PARENT, &"a".repeat(MAX_STATE_LEN + 1))).expect("a context");
        assert_eq!(read.tracestate(), None);
    }
}
