//! The two sets of delay levels.

/// The set of levels that a delayed message goes through.
///
/// Since RabbitMQ 4.0 a quorum queue offers a message of priority 5 or more before those that came earlier, and looks for expired
/// ones only at what it would offer next. In one set of levels such messages would hold up the others, for as long as new ones come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ladder {
    /// Of messages of priority 0 to 4.
    Usual,
    /// Of those above: declared with the first of them that is delayed.
    Preferred,
}

impl Ladder {
    pub(super) const ALL: [Self; 2] = [Self::Usual, Self::Preferred];

    /// The set for a priority.
    pub(super) fn of(priority: u8) -> Self {
        if priority > 4 { Self::Preferred } else { Self::Usual }
    }

    /// The name of an exchange that is declared when all the rest stands, so that one question tells whether it does.
    pub(super) fn marker(self) -> &'static str {
        match self {
            Self::Usual => "celeriac.delay.v1",
            Self::Preferred => "celeriac.delay.v1.preferred",
        }
    }

    /// The name of a level's exchange and queue.
    pub(super) fn level(self, level: u8) -> String {
        format!("{}.{level}", self.marker())
    }
}
