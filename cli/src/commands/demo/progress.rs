//! How far a run has come: a bar on a terminal, plain lines elsewhere.

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{output::note, text};

/// How often a plain line is written, where something has changed.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shown {
    /// Files done.
    pub(super) done: u64,
    /// Files known of, where this process can know.
    pub(super) found: Option<u64>,
    /// Whether there may be more.
    pub(super) walking: bool,
}

/// Shows progress on standard error.
#[derive(Debug)]
pub(super) enum Display {
    Bar(ProgressBar),
    Lines { last: Option<Shown>, next: Instant },
}

impl Display {
    pub(super) fn new() -> Self {
        if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(0);
            // The template is a constant; were it wrong, the default style would do.
            if let Ok(style) =
                ProgressStyle::with_template("{elapsed} {wide_bar} {human_pos}/{human_len} files {per_sec} {msg}")
            {
                bar.set_style(style);
            }
            return Self::Bar(bar);
        }
        Self::Lines { last: None, next: Instant::now() + LINE_EVERY }
    }

    pub(super) fn show(&mut self, shown: Shown) {
        match self {
            // A bar over nothing would be drawn as full.
            Self::Bar(_) if shown.done == 0 && shown.found.is_none_or(|found| found == 0) => {}
            Self::Bar(bar) => {
                bar.set_length(shown.found.unwrap_or(0).max(shown.done));
                bar.set_position(shown.done);
                bar.set_message(if shown.walking { "walking" } else { "" });
            }
            Self::Lines { last, next } => {
                let now = Instant::now();
                if now >= *next && last.as_ref() != Some(&shown) {
                    note(&line(shown));
                    *last = Some(shown);
                    *next = now + LINE_EVERY;
                }
            }
        }
    }

    /// Leaves the terminal to others.
    pub(super) fn end(&mut self, shown: Shown) {
        match self {
            Self::Bar(bar) => bar.finish_and_clear(),
            Self::Lines { last, .. } => {
                if last.as_ref() != Some(&shown) {
                    note(&line(shown));
                }
            }
        }
    }
}

/// `12 of 345 files found so far`.
pub(super) fn line(shown: Shown) -> String {
    let done = text::count(shown.done);
    match shown.found {
        None => text::plural(shown.done, "file"),
        Some(found) if shown.walking => format!("{done} of {} found so far", text::plural(found, "file")),
        Some(found) => format!("{done} of {}", text::plural(found, "file")),
    }
}
