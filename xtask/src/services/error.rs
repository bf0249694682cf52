use std::io;

/// Why a service cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The program is not on this machine.
    #[error("{program} is not installed. Install it with: {install}")]
    Missing {
        /// The program looked for.
        program: &'static str,
        /// The command that installs it.
        install: &'static str,
    },
    /// The service ended, or kept silent, before it could be used.
    #[error("{service} {problem}; the end of its output:\n{output}")]
    NotReady {
        /// The service.
        service: String,
        /// What it did instead.
        problem: String,
        /// The last lines it printed.
        output: String,
    },
    /// A command line tool of the service failed.
    #[error("`{command}` failed: {output}")]
    Command {
        /// The command.
        command: String,
        /// What it printed.
        output: String,
    },
    /// The operating system refused.
    #[error("{doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// The refusal.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(doing: impl Into<String>, source: io::Error) -> Self {
        Self::Io { doing: doing.into(), source }
    }
}
