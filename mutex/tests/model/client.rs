//! One client: what it believes, and what it has on the wire.

use std::time::Duration;

use celeriac_mutex::{
    rules::{Micros, micros},
    store::{Answer, Release, Renewed},
};

use super::world::{TTL, attempt_of, client_of};

/// One client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    /// The first one that is like it.
    pub(crate) like: usize,
    pub(crate) attempt: u8,
    pub(crate) phase: Phase,
    /// What it waits for; one thing at a time, as a session renews no lease while a renewal is on its way.
    pub(crate) wire: Option<Wire>,
    /// A request that it no longer waits for, and that may arrive all the same.
    pub(crate) late: Option<Request>,
    /// A hint has arrived, or will.
    pub(crate) hint: bool,
    /// When it last renewed: by itself it does so once in each step of the clock.
    pub(crate) renewed: Micros,
    pub(crate) dead: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    #[default]
    Idle,
    /// It wants the lock; `asked` once the store has said that it stands in line.
    Waiting { asked: bool },
    /// It holds the lock until `lost_at`, as it believes.
    Holding { fence: u64, lost_at: Micros },
    /// It no longer wants or has it, and says so until the store has answered.
    Leaving,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Request {
    pub(crate) what: What,
    pub(crate) attempt: u8,
    pub(crate) sent: Micros,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Acquire,
    Renew { fence: Option<u64>, reassert: bool },
    Release,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Wire {
    Request(Request),
    Reply(Request, Reply),
}

impl Request {
    fn is_a_waiters(self) -> bool {
        matches!(self.what, What::Acquire | What::Renew { fence: None, .. })
    }
}

/// What the store said, as far as it matters to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    Granted {
        fence: u64,
    },
    Busy,
    Queued {
        first: bool,
    },
    Held,
    Lost,
    /// Whether anything was there, and what was handed to others of the same process.
    Released {
        found: bool,
        handed: [Option<Handed>; 2],
    },
}

/// What a release has handed to another client of the same process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Handed {
    pub(crate) client: usize,
    pub(crate) attempt: u8,
    pub(crate) fence: u64,
}

impl Reply {
    /// What a release has handed on.
    pub(crate) fn handed(&self) -> impl Iterator<Item = Handed> + use<> {
        let handed = if let Self::Released { handed, .. } = self { *handed } else { [None; 2] };
        handed.into_iter().flatten()
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Granted(granted) => Self::Granted { fence: granted.fence.get() },
            Answer::Busy { .. } => Self::Busy,
            Answer::Queued { position, .. } | Answer::Parked { position, .. } => Self::Queued { first: position == 1 },
        }
    }
}

impl From<Renewed> for Reply {
    fn from(renewed: Renewed) -> Self {
        match renewed {
            Renewed::Held { .. } => Self::Held,
            Renewed::Waiting { position, .. } => Self::Queued { first: position == 1 },
            Renewed::Granted(granted) => Self::Granted { fence: granted.fence.get() },
            Renewed::Lost => Self::Lost,
        }
    }
}

impl From<Release> for Reply {
    fn from(release: Release) -> Self {
        let mut handed = release.handed.iter().map(|handed| Handed {
            client: client_of(&handed.lease),
            attempt: attempt_of(&handed.lease),
            fence: handed.granted.fence.get(),
        });
        let reply = Self::Released { found: release.found, handed: [handed.next(), handed.next()] };
        assert!(handed.next().is_none(), "{release:?}");
        reply
    }
}

impl Client {
    /// Whether it would go on working under the lock at `now`.
    pub(crate) fn believes(&self, now: Micros) -> bool {
        !self.dead && matches!(self.phase, Phase::Holding { lost_at, .. } if now < lost_at)
    }

    /// What it may ask the store at `now`.
    pub(crate) fn questions(&self, now: Micros, attempts: u8, mut may: impl FnMut(What)) {
        if self.dead || self.wire.is_some() {
            return;
        }
        let due = self.hint || self.renewed < now;
        match self.phase {
            Phase::Idle if self.attempt < attempts => may(What::Acquire),
            Phase::Idle => {}
            Phase::Waiting { asked } => {
                if !asked {
                    may(What::Acquire);
                } else if due {
                    may(What::Renew { fence: None, reassert: false });
                }
                may(What::Release);
            }
            Phase::Holding { fence, lost_at } => {
                if due && now < lost_at {
                    may(What::Renew { fence: Some(fence), reassert: true });
                }
                may(What::Release);
            }
            Phase::Leaving => may(What::Release),
        }
    }

    /// Sends.
    pub(crate) fn send(&mut self, what: What, now: Micros) -> Request {
        match what {
            What::Acquire => self.phase = Phase::Waiting { asked: false },
            What::Renew { .. } => {}
            What::Release => self.phase = Phase::Leaving,
        }
        // What is asked now need not be asked again because of an older hint.
        self.hint = false;
        self.renewed = now;
        Request { what, attempt: self.attempt, sent: now }
    }

    /// Takes a reply in; `counted_from` is when its lease began, for all that it knows.
    pub(crate) fn receive(&mut self, request: Request, reply: Reply, counted_from: Micros, lasts: Micros) {
        match (self.phase, reply) {
            // It was asked by a waiter, which the answer to another's release has made a holder since.
            (Phase::Holding { .. }, _) if request.is_a_waiters() => {}
            (Phase::Leaving, Reply::Released { .. })
            | (Phase::Waiting { .. }, Reply::Busy)
            | (Phase::Holding { .. }, Reply::Lost) => {
                self.next();
            }
            (Phase::Waiting { .. }, Reply::Queued { .. }) => self.phase = Phase::Waiting { asked: true },
            // The store has forgotten its place.
            (Phase::Waiting { .. }, Reply::Lost) => self.phase = Phase::Waiting { asked: false },
            // That one who holds is granted happens only where a mutant has begun before.
            (Phase::Waiting { .. } | Phase::Holding { .. }, Reply::Granted { fence })
            | (Phase::Holding { fence, .. }, Reply::Held) => {
                self.phase = Phase::Holding { fence, lost_at: counted_from + lasts };
            }
            (phase, reply) => unreachable!("{reply:?} to {request:?} while {phase:?}"),
        }
    }

    /// Takes in what the answer to another's release says: the lease of its `attempt`, if it waits for it.
    pub(crate) fn is_handed(&mut self, handed: Handed, lost_at: Micros) {
        if !self.dead && self.attempt == handed.attempt && matches!(self.phase, Phase::Waiting { .. }) {
            self.phase = Phase::Holding { fence: handed.fence, lost_at };
        }
    }

    fn next(&mut self) {
        self.phase = Phase::Idle;
        self.attempt += 1;
        self.hint = false;
    }
}

/// How long a lease counts as held from when its question was sent: its ttl, less the drift of two clocks and the time that work is
/// given to stop. A session computes the same.
pub(crate) fn validity() -> Micros {
    let drift = TTL / 200 + Duration::from_millis(20);
    let grace = (TTL / 5).min(Duration::from_secs(2));
    micros(TTL.saturating_sub(drift).saturating_sub(grace))
}
