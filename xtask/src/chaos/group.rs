//! A primary, its replica, and the sentinel that puts one in the other's place.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use super::{
    Nanos, admin,
    clock::{nanos, now},
};
use crate::services::{Error, Redis};

/// The three.
#[derive(Debug)]
pub(super) struct Group {
    primary: Redis,
    /// The replica, or what is to become one.
    other: Redis,
    sentinel: Redis,
    state: State,
    /// When the sentinel is asked next.
    look_at: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    /// The primary is gone.
    Bereft {
        since: Nanos,
    },
    /// There is a new one, and the sentinel does not know yet that it has a replica.
    Mending {
        since: Nanos,
    },
}

/// How often the sentinel is asked.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long the sentinel may take to know of the first replica. Generous: it takes so long only on a machine that is out of breath.
const BOUND: Duration = Duration::from_secs(60);
/// How long before anybody noticed a failover that nobody asked for may have begun.
const UNNOTICED: Duration = Duration::from_secs(5);

impl Group {
    pub(super) fn start() -> Result<Self, Error> {
        let primary = Redis::start()?;
        let other = Redis::start_replica(&primary)?;
        let sentinel = Redis::start_sentinel(&primary)?;
        let group = Self { primary, other, sentinel, state: State::Whole, look_at: Instant::now() };
        let end = Instant::now() + BOUND;
        while !group.has_replica() {
            if Instant::now() > end {
                let problem = format!("knew of no replica within {BOUND:?}");
                return Err(Error::NotReady { service: "the sentinel".to_owned(), problem, output: String::new() });
            }
            thread::park_timeout(LOOK_EVERY);
        }
        Ok(group)
    }

    /// What workers are told.
    pub(super) fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/primary", self.sentinel.port())
    }

    /// The port of the primary.
    pub(super) fn primary(&self) -> u16 {
        self.primary.port()
    }

    pub(super) fn is_whole(&self) -> bool {
        self.state == State::Whole
    }

    /// Kills the primary.
    pub(super) fn fail_over(&mut self) {
        self.fail(now());
    }

    fn fail(&mut self, since: Nanos) {
        self.primary.kill();
        self.state = State::Bereft { since };
    }

    /// Starts what was killed again once the other has its place; gives the beginning of a failover when all is as before it.
    pub(super) fn tend(&mut self) -> io::Result<Option<Nanos>> {
        if Instant::now() < self.look_at {
            return Ok(None);
        }
        self.look_at = Instant::now() + LOOK_EVERY;
        match self.state {
            // A sentinel that was kept from its work takes a server for dead that is not. Two that serve at once are another matter.
            State::Whole if self.is_replaced() => self.fail(now().saturating_sub(nanos(UNNOTICED))),
            State::Mending { since } if self.is_replaced() => self.fail(since),
            State::Bereft { since } if self.is_replaced() => {
                std::mem::swap(&mut self.primary, &mut self.other);
                self.other.start_again_as_replica_of(self.primary.port()).map_err(io::Error::other)?;
                self.state = State::Mending { since };
            }
            State::Mending { since } if self.has_replica() => {
                self.state = State::Whole;
                return Ok(Some(since));
            }
            _ => {}
        }
        Ok(None)
    }

    /// Whether the sentinel says that the other server is the primary.
    fn is_replaced(&self) -> bool {
        let said = self.ask("SENTINEL GET-MASTER-ADDR-BY-NAME primary");
        said.lines().any(|line| line == self.other.port().to_string())
    }

    /// Whether the sentinel knows of a replica that could take the primary's place, and it follows the primary.
    fn has_replica(&self) -> bool {
        let said = self.ask("SENTINEL REPLICAS primary");
        let words: Vec<_> = said.lines().filter(|line| !line.starts_with(['$', '*'])).collect();
        let says = |name: &str, value: &str| words.windows(2).any(|pair| pair == [name, value]);
        says("flags", "slave")
            && says("master-link-status", "ok")
            && says("master-port", &self.primary.port().to_string())
    }

    fn ask(&self, command: &str) -> String {
        // One that does not answer in time is asked again.
        admin::ask(self.sentinel.port(), command).unwrap_or_default()
    }
}
