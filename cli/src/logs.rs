//! Logs go to standard error: for people, or as one JSON object a line. What a task logs says which task, in either.

mod fields;
mod line;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal as _, Write as _};

use tracing::{
    Event, Subscriber,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    layer::{Context, SubscriberExt as _},
    registry::{LookupSpan, Scope},
    util::SubscriberInitExt as _,
};

use self::{fields::Fields, line::Line};

use crate::{Error, telemetry::Telemetry};

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
#[non_exhaustive]
pub enum LogFormat {
    /// For people; coloured on a terminal, unless `NO_COLOR` is set.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Pretty => "pretty",
            Self::Json => "json",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "pretty" => Ok(Self::Pretty),
            "json" => Ok(Self::Json),
            other => Err(format!("{other:?} is no log format; it is pretty or json")),
        }
    }
}

/// Starts logging what `RUST_LOG` asks for, else what `default` does; and following spans, whatever is logged.
pub(crate) fn init(format: LogFormat, default: &str, telemetry: &Telemetry) -> Result<(), Error> {
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    // What lapin calls errors (a queue that is looked for and not there, a connection lost) are cases that the transport
    // handles, and tells where they matter.
    let default = format!("{default},lapin=off");
    let wanted = if wanted.is_empty() { &default } else { &wanted };
    let filter = EnvFilter::try_new(wanted)
        .map_err(|fault| Error::Usage(format!("RUST_LOG={wanted:?} can't be read: {fault}")))?;
    let lines = Lines { format, ansi: coloured(), write: Box::new(to_stderr) };
    // Fails where the user's program has set up logging of its own, which is then the one that counts.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).with(telemetry.layer()).try_init();
    Ok(())
}

/// Takes a line, to its end.
type Write = dyn Fn(&[u8]) + Send + Sync;

/// Writes a line for each event, with what the spans around it say.
struct Lines {
    format: LogFormat,
    ansi: bool,
    write: Box<Write>,
}

/// Complaining about a standard error that went away, to that standard error, would be in vain.
fn to_stderr(line: &[u8]) {
    let _ = std::io::stderr().lock().write_all(line);
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Fields::default();
        event.record(&mut own);
        let scope: Vec<_> = context.event_scope(event).into_iter().flat_map(Scope::from_root).collect();
        let extensions: Vec<_> = scope.iter().map(|span| (span.metadata(), span.extensions())).collect();
        let spans: Vec<_> =
            extensions.iter().filter_map(|(metadata, said)| Some((*metadata, said.get::<Fields>()?))).collect();
        let mut timestamp = String::new();
        // Writing to a text does not fail.
        let _ = SystemTime.format_time(&mut Writer::new(&mut timestamp));
        let line = Line { timestamp: &timestamp, metadata: event.metadata(), event: &own, spans: &spans };
        let mut text = match self.format {
            LogFormat::Pretty => line.pretty(self.ansi),
            LogFormat::Json => line.json(),
        };
        text.push('\n');
        (self.write)(text.as_bytes());
    }
}

fn coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
