//! What tests need beyond this repository.

use std::fmt;
use std::str::FromStr;

use crate::Failure;

/// One thing that a run can be without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Amqp,
    Redis,
    Celery,
    Jdupes,
    Prometheus,
}

impl Part {
    pub(crate) const ALL: [Self; 5] = [Self::Amqp, Self::Redis, Self::Celery, Self::Jdupes, Self::Prometheus];

    /// How `--without` names it; a test that needs the part has this in its path.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Amqp => "amqp",
            Self::Redis => "redis",
            Self::Celery => "celery",
            Self::Jdupes => "jdupes",
            Self::Prometheus => "prometheus",
        }
    }

    /// What the paths of the tests that need it contain.
    fn marks(self) -> &'static [&'static str] {
        match self {
            // A private server is as much RabbitMQ as the shared one.
            Self::Amqp => &["amqp", "private"],
            Self::Redis => &["redis"],
            Self::Celery => &["celery"],
            Self::Jdupes => &["jdupes"],
            Self::Prometheus => &["prometheus"],
        }
    }
}

impl FromStr for Part {
    type Err = Failure;

    fn from_str(name: &str) -> Result<Self, Failure> {
        let part = Self::ALL.into_iter().find(|part| part.name() == name);
        part.ok_or_else(|| Failure::Usage(format!("there is no part `{name}`")))
    }
}

/// A set of parts.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Parts([bool; 5]);

impl Parts {
    /// Adds a part, and what cannot be had without it.
    pub(crate) fn add(&mut self, part: Part) {
        self.0[part as usize] = true;
        if part == Part::Amqp {
            self.0[Part::Celery as usize] = true;
        }
    }

    pub(crate) fn has(&self, part: Part) -> bool {
        self.0[part as usize]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Part> {
        Part::ALL.into_iter().filter(|part| self.has(*part))
    }

    /// What the paths of the tests that need any of them contain.
    pub(crate) fn marks(&self) -> Vec<&'static str> {
        self.iter().flat_map(Part::marks).copied().collect()
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Part::name).collect();
        f.write_str(&names.join(", "))
    }
}
