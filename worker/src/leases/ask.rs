//! One question for one lock, whatever its kind.

use std::time::Duration;

use celeriac_mutex::{Error, Kind, Lease, LockKey, Locks, Owner, Place, Taken, Ticket};

/// How long a question may take. Stores have limits of their own; this one is for those that forget.
const LIMIT: Duration = Duration::from_secs(10);

/// A turn that is expected within this is waited for in the slot, for at most twice as long: the way to the broker and back takes about
/// as long, and nobody would be there to take the lock meanwhile.
const SHORT: Duration = Duration::from_millis(300);

/// A question for one lock.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) key: LockKey,
    pub(crate) leases: u32,
    pub(crate) weight: u32,
    pub(crate) ttl: Option<Duration>,
    pub(crate) owner: Owner,
}

/// What to do when it is busy.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Patience<'a> {
    /// Say so.
    None,
    /// Wait for at most this long.
    Wait(Duration),
    /// Wait where that is [`SHORT`]; keep a place in line otherwise: the one of this ticket, or a new one.
    WaitOrPark(Option<&'a Ticket>),
    /// Take a new place in line.
    Park,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Answer {
    Granted(Lease),
    Parked(Place),
    Busy,
}

/// Asks, and never for longer than it may take.
pub(crate) async fn ask(locks: &Locks, ask: Ask, patience: Patience<'_>) -> Result<Answer, Error> {
    let limit = match patience {
        Patience::Wait(limit) => limit.saturating_add(LIMIT),
        _ => LIMIT,
    };
    let unanswered = |_| {
        Err(Error::Unavailable {
            address: "the locks' address".to_owned(),
            message: format!("no answer within {limit:?}"),
        })
    };
    tokio::time::timeout(limit, put(locks, ask, patience)).await.unwrap_or_else(unanswered)
}

async fn put(locks: &Locks, ask: Ask, patience: Patience<'_>) -> Result<Answer, Error> {
    let Ask { key, leases, weight, ttl, owner } = ask;
    if key.kind() == Kind::Mutex {
        let mut mutex = locks.mutex_at(key)?.owner(owner);
        if let Some(ttl) = ttl {
            mutex = mutex.ttl(ttl);
        }
        return Ok(match patience {
            Patience::None => maybe(mutex.try_lock().await?),
            Patience::Wait(limit) => maybe(mutex.lock_timeout(limit).await?),
            Patience::WaitOrPark(place) => taken(mutex.wait_or_park(place, SHORT).await?),
            Patience::Park => taken(mutex.take_or_park(None).await?),
        });
    }
    let mut semaphore = locks.semaphore_at(key, leases)?.weight(weight).owner(owner);
    if let Some(ttl) = ttl {
        semaphore = semaphore.ttl(ttl);
    }
    Ok(match patience {
        Patience::None => maybe(semaphore.try_acquire().await?),
        Patience::Wait(limit) => maybe(semaphore.acquire_timeout(limit).await?),
        Patience::WaitOrPark(place) => taken(semaphore.wait_or_park(place, SHORT).await?),
        Patience::Park => taken(semaphore.take_or_park(None).await?),
    })
}

fn maybe(guard: Option<impl Into<Lease>>) -> Answer {
    guard.map_or(Answer::Busy, |guard| Answer::Granted(guard.into()))
}

fn taken(taken: Taken<impl Into<Lease>>) -> Answer {
    match taken {
        Taken::Granted(guard) => Answer::Granted(guard.into()),
        Taken::Parked(place) => Answer::Parked(place),
    }
}
