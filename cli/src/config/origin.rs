use std::{fmt, path::PathBuf};

/// A value and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sourced<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag of this command line.
    Flag(&'static str),
    /// An environment variable.
    Environment(String),
    /// A line of `celeriac.toml`.
    File { path: PathBuf, line: usize },
    /// The program, which set it before it read any of the above.
    Code,
    /// Nobody: the documented default.
    Default,
}

impl Origin {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Flag(_) => "flag",
            Self::Environment(_) => "environment",
            Self::File { .. } => "file",
            Self::Code => "code",
            Self::Default => "default",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => f.write_str(name),
            Self::Environment(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Code => f.write_str("code"),
            Self::Default => f.write_str("default"),
        }
    }
}

impl<T> Sourced<T> {
    pub(crate) fn flag(name: &'static str, value: T) -> Self {
        Self { value, origin: Origin::Flag(name) }
    }
}
