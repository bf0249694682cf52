//! What happened, as the worker processes, the register and the runner wrote it down.
//!
//! One event per line: its word, its instant in nanoseconds since the machine was started (the same clock for all processes), and
//! its fields. A line that a killed process has not finished is left out.

use std::{fs, io, path::Path};

/// Nanoseconds since the machine was started.
pub type Nanos = u64;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Nanos,
    /// What.
    pub what: What,
}

/// What happened. An attempt is `<worker>.<number>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An attempt began to wait.
    Asked {
        /// Who.
        attempt: String,
        /// For which lock.
        key: String,
    },
    /// It had the lock, and knew it.
    Got {
        /// Who.
        attempt: String,
        /// Which lock.
        key: String,
        /// How many of its leases.
        weight: u32,
        /// Its token.
        fence: u64,
    },
    /// It still believed to have it.
    Held {
        /// Who.
        attempt: String,
    },
    /// It was over: released, lost or given up.
    Ended {
        /// Who.
        attempt: String,
    },
    /// What the store said about a lock.
    Seen {
        /// Which.
        key: String,
        /// How many leases are held.
        used: u32,
        /// Of how many.
        leases: u32,
        /// Who waits, in order.
        waiting: Vec<String>,
    },
    /// The register was written to.
    Wrote {
        /// For which lock.
        key: String,
        /// With which token.
        fence: u64,
        /// Whether it was taken.
        accepted: bool,
    },
    /// Something was done to a worker, or to the store, until an instant.
    Fault {
        /// What.
        kind: String,
        /// The worker, or `store`.
        to: String,
        /// When it was over.
        until: Nanos,
    },
}

impl Event {
    fn read(line: &str) -> Option<Self> {
        // The end of a line that is complete.
        let mut words = line.strip_suffix(" .")?.split(' ');
        let (word, at) = (words.next()?, words.next()?.parse().ok()?);
        let mut next = || words.next().map(str::to_owned);
        let what = match word {
            "asked" => What::Asked { attempt: next()?, key: next()? },
            "got" => What::Got {
                attempt: next()?,
                key: next()?,
                weight: next()?.parse().ok()?,
                fence: next()?.parse().ok()?,
            },
            "held" => What::Held { attempt: next()? },
            "ended" => What::Ended { attempt: next()? },
            "seen" => What::Seen {
                key: next()?,
                used: next()?.parse().ok()?,
                leases: next()?.parse().ok()?,
                waiting: words.map(str::to_owned).collect(),
            },
            "wrote" => What::Wrote { key: next()?, fence: next()?.parse().ok()?, accepted: next()? == "1" },
            "fault" => What::Fault { kind: next()?, to: next()?, until: next()?.parse().ok()? },
            _ => return None,
        };
        Some(Self { at, what })
    }
}

/// Everything that happened, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History(pub Vec<Event>);

impl History {
    /// Reads every `*.log` of a folder.
    ///
    /// # Errors
    /// What the file system says.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut text = String::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                text.push_str(&String::from_utf8_lossy(&fs::read(path)?));
                text.push('\n');
            }
        }
        Ok(Self::parse(&text))
    }

    /// Reads lines.
    pub fn parse(text: &str) -> Self {
        let mut events: Vec<_> = text.lines().filter_map(Event::read).collect();
        events.sort_by_key(|event| event.at);
        Self(events)
    }
}
