//! The rules as a store, and what mutants make of them.

use std::convert::Infallible;

use celeriac_mutex::{
    FencingToken,
    rules::{self, Held, Line, Lock, MemoryLine, Micros, News, Waiting, micros},
    store::{Ask, LeaseId, PROBATION, ProcessId, Renewal},
};

use super::{
    client::{Reply, Request, What},
    mutants::Mutant,
    world::{State, TICK, TTL, World, client_of},
};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Store {
    pub(crate) now: Micros,
    pub(crate) lock: Lock,
    pub(crate) line: MemoryLine,
    pub(crate) grace_until: Option<Micros>,
}

impl Store {
    pub(crate) fn new(now: Micros) -> Self {
        Self { now, lock: Lock::default(), line: MemoryLine::default(), grace_until: None }
    }

    pub(crate) fn holds(&self, lease: &LeaseId) -> Option<&Held> {
        self.lock.holders.iter().find(|held| held.lease == *lease)
    }
}

/// One instant of the store's, and who hears.
struct Instant {
    now: Micros,
    grace_until: Option<Micros>,
    dead: [bool; 3],
    told: Vec<LeaseId>,
    deaf: bool,
}

impl rules::World for Instant {
    fn now(&self) -> Micros {
        self.now
    }

    fn grace_until(&self) -> Option<Micros> {
        self.grace_until
    }

    fn tell(&mut self, _: &ProcessId, news: News) -> bool {
        let (News::Granted(lease) | News::Look(lease, _)) = news;
        let hears = !self.dead[client_of(&lease)];
        if hears {
            self.told.push(lease);
        }
        hears || self.deaf
    }
}

/// A line as a mutant sees it.
struct Seen<'a> {
    line: &'a mut MemoryLine,
    mutant: Option<Mutant>,
}

impl Line for Seen<'_> {
    type Error = Infallible;

    fn first_live(&mut self) -> Result<Option<Waiting>, Infallible> {
        let order = self.line.in_order();
        Ok(match self.mutant {
            Some(Mutant::ServesTheLast) => order.last().map(|last| (*last).clone()),
            Some(Mutant::LightPastHeavy) => {
                order.iter().min_by_key(|waiting| (waiting.weight, waiting.rank)).map(|light| (*light).clone())
            }
            _ => self.line.first_live()?,
        })
    }

    fn get(&mut self, lease: &LeaseId) -> Result<Option<Waiting>, Infallible> {
        self.line.get(lease)
    }

    fn put(&mut self, waiting: Waiting) -> Result<(), Infallible> {
        self.line.put(waiting)
    }

    fn remove(&mut self, lease: &LeaseId) -> Result<Option<Waiting>, Infallible> {
        self.line.remove(lease)
    }

    fn first_parked(&mut self) -> Result<Option<Waiting>, Infallible> {
        self.line.first_parked()
    }

    fn live_before(&mut self, rank: u64) -> Result<u64, Infallible> {
        self.line.live_before(rank)
    }

    fn parked_before(&mut self, rank: u64) -> Result<u64, Infallible> {
        self.line.parked_before(rank)
    }

    fn remove_stale(&mut self, now: Micros, limit: usize) -> Result<(), Infallible> {
        self.line.remove_stale(now, limit)
    }
}

/// One atomic step of the store; hints go to those who are told.
pub(crate) fn step(world: &World, state: &mut State, client: usize, request: Request) -> Reply {
    let ask = world.ask(client, request.attempt);
    let mut instant = Instant {
        now: state.store.now,
        grace_until: state.store.grace_until.filter(|_| !world.is(Mutant::SkipsTheGrace)),
        dead: [0, 1, 2].map(|client: usize| state.clients[client].dead),
        told: Vec::new(),
        deaf: world.is(Mutant::HandsToTheDead),
    };
    if world.is(Mutant::BelievesTheClientsClock) && client == 1 {
        instant.now += 2 * TICK;
    }
    let before = state.store.lock.clone();
    let reply = answer(world, &mut state.store, &mut instant, &ask, request);
    spoil(world, &mut state.store, &before, &ask.lease, request, reply);
    // Estimates are not modelled.
    state.store.lock.mean_hold = None;
    for lease in instant.told {
        let told = &mut state.clients[client_of(&lease)];
        told.hint |= lease.as_str().ends_with(&format!("{:x}", told.attempt));
    }
    reply
}

fn answer(
    world: &World,
    store: &mut Store,
    instant: &mut Instant,
    ask: &std::sync::Arc<Ask>,
    request: Request,
) -> Reply {
    let Store { lock, line, .. } = store;
    let mut line = Seen { line, mutant: world.mutant };
    let lease = &ask.lease;
    let held = lock.holders.iter().any(|held| held.lease == *lease);
    if world.is(Mutant::NeverReaps) {
        lock.holders.iter_mut().for_each(|held| held.ends = None);
    }
    match request.what {
        What::Acquire => {
            let mut ask = (**ask).clone();
            ask.fair &= !world.is(Mutant::IgnoresTheLine);
            if world.is(Mutant::CountsHoldersNotWeights) {
                ask.weight = 1;
            }
            if held && world.is(Mutant::GrantsARepeatedQuestionAgain) {
                let twin = lock.holders.iter().find(|held| held.lease == *lease).cloned();
                lock.holders.extend(twin);
            }
            lock.acquire(&mut line, instant, &ask).unwrap().into()
        }
        What::Renew { fence, reassert } => {
            let renewal = Renewal { ask: ask.clone(), fence: fence.map(FencingToken::new), reassert };
            let renewed = Reply::from(lock.renew(&mut line, instant, &renewal).unwrap());
            let revived = (fence.is_some() && world.is(Mutant::RenewsWhatHasEnded))
                || (reassert && world.is(Mutant::TakesAHoldersWordPastOthers));
            if renewed == Reply::Lost && revived {
                lock.holders.push(Held {
                    lease: lease.clone(),
                    process: ask.process.clone(),
                    weight: ask.weight,
                    ends: Some(instant.now + micros(TTL)),
                    since: instant.now,
                    fence: fence.unwrap_or_default(),
                    revoked: false,
                    owner: ask.owner.clone(),
                });
                return Reply::Held;
            }
            renewed
        }
        What::Release => {
            let first = line.first_live().unwrap().map(|first| first.process);
            let here = if world.is(Mutant::AnswersForOthers) { first.as_ref() } else { Some(&ask.process) };
            let other = lock.holders.iter().find(|held| held.lease != *lease).map(|held| held.lease.clone());
            let release = if held && world.is(Mutant::ForgetsToHandOn) {
                lock.release(&mut MemoryLine::default(), instant, lease, here).unwrap()
            } else {
                lock.release(&mut line, instant, lease, here).unwrap()
            };
            // That answer is as good as a hint: both permit to look.
            instant.told.extend(release.look.as_ref().map(|(lease, _)| lease.clone()));
            let again = world.is(Mutant::ReleasesTwice) || (!held && world.is(Mutant::ReleasesWithoutAskingWhose));
            if let Some(other) = other.filter(|_| again) {
                lock.release(&mut line, instant, &other, here).unwrap();
            }
            release.into()
        }
    }
}

/// What some mutants do to new holders.
fn spoil(world: &World, store: &mut Store, before: &Lock, asker: &LeaseId, request: Request, reply: Reply) {
    let reasserted = matches!(request.what, What::Renew { fence: Some(_), .. }) && reply == Reply::Held;
    let is_new = |held: &Held| !before.holders.iter().any(|old| old.lease == held.lease);
    let mut fence = before.fence;
    for held in store.lock.holders.iter_mut().filter(|held| is_new(held)) {
        if world.is(Mutant::GrantsWithoutProbation) && held.lease != *asker {
            held.ends = Some(store.now + micros(TTL));
        }
        if world.is(Mutant::AnswersWithProbation) && reply.handed().any(|handed| handed.fence == held.fence) {
            held.ends = Some(store.now + micros(PROBATION));
        }
        if world.is(Mutant::ForgetsItsTokens) && !reasserted {
            fence += 1;
            (held.fence, store.lock.fence) = (fence, fence);
        }
    }
}
