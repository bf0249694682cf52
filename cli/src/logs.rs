//! Logs go to standard error: for people, or as one JSON object a line.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::Error;

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

/// Starts logging what `RUST_LOG` asks for, else what `default` does.
pub(crate) fn init(format: LogFormat, default: &str) -> Result<(), Error> {
    let wanted = std::env::var("RUST_LOG").unwrap_or_default();
    let wanted = if wanted.is_empty() { default } else { &wanted };
    let filter = EnvFilter::try_new(wanted)
        .map_err(|fault| Error::Usage(format!("RUST_LOG={wanted:?} can't be read: {fault}")))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Complaining about a standard error that went away, to that standard error, would panic.
        .log_internal_errors(false);
    // Fails where the user's program has set up logging of its own, which is then the one that counts.
    let _ = match format {
        LogFormat::Pretty => lines.with_ansi(coloured()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}

fn coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
