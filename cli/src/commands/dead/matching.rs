use std::collections::HashSet;

use celeriac_broker::{Message, message::names};

use crate::Error;

/// Which dead letters are meant. Ids are alternatives; everything else narrows them.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Which {
    /// The ids of dead letters.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Those of this task.
    #[arg(long, value_name = "NAME")]
    task: Option<String>,
    /// Those whose error or reason contains this text.
    #[arg(long, value_name = "TEXT")]
    error: Option<String>,
}

impl Which {
    /// Whether nothing narrows it: every dead letter is meant.
    pub(super) fn is_everything(&self) -> bool {
        self.ids.is_empty() && self.task.is_none() && self.error.is_none()
    }

    pub(super) fn matching(self) -> Matching {
        Matching { found: HashSet::new(), which: self }
    }
}

/// Tells which messages are meant, and remembers which ids it met.
#[derive(Debug)]
pub(super) struct Matching {
    which: Which,
    found: HashSet<String>,
}

impl Matching {
    pub(super) fn accepts(&mut self, message: &Message) -> bool {
        let Which { ids, task, error } = &self.which;
        let id = message.id();
        if !ids.is_empty() {
            if !ids.iter().any(|wanted| wanted == id.as_str()) {
                return false;
            }
            self.found.insert(id.as_str().to_owned());
        }
        task.as_ref().is_none_or(|task| message.task() == Some(task))
            && error.as_ref().is_none_or(|error| {
                let has = |name| message.headers.text(name).is_some_and(|text| text.contains(error.as_str()));
                has(names::DEAD_ERROR) || has(names::DEAD_REASON)
            })
    }

    /// Fails where an id was asked for and not met.
    pub(super) fn all_found(&self, queue: &str) -> Result<(), Error> {
        let missing: Vec<_> =
            self.which.ids.iter().filter(|id| !self.found.contains(*id)).map(String::as_str).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::Failed(format!("queue {queue} has no dead letter {}", missing.join(", "))))
    }
}
