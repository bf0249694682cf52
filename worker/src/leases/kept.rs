use std::time::{Duration, SystemTime, UNIX_EPOCH};

use celeriac_broker::{HeaderValue, Headers, Reason, message::names};
use celeriac_mutex::Ticket;

/// What a message keeps while it is away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Kept {
    /// Places in line, by the addresses of their locks.
    pub(crate) places: Vec<(String, Ticket)>,
    /// Turns that rate limits have reserved, by address.
    pub(crate) turns: Vec<(String, SystemTime)>,
}

impl Kept {
    /// What the message has brought.
    pub(crate) fn read(headers: &Headers) -> Self {
        let place = |(lock, ticket): &(String, HeaderValue)| Some((lock.clone(), ticket.as_text()?.into()));
        let turn = |(limit, at): &(String, HeaderValue)| {
            let at = Duration::from_millis(u64::try_from(at.as_int()?).ok()?);
            Some((limit.clone(), UNIX_EPOCH.checked_add(at)?))
        };
        Self {
            places: headers.table(names::PLACES).iter().filter_map(place).collect(),
            turns: headers.table(names::TURNS).iter().filter_map(turn).collect(),
        }
    }

    /// Writes it down, over what was there.
    pub(crate) fn write(&self, headers: &mut Headers) {
        let places = self.places.iter().map(|(lock, ticket)| (lock.clone(), ticket.as_str().to_owned().into()));
        set(headers, names::PLACES, places.collect());
        let turns = self.turns.iter().map(|(limit, at)| {
            let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            (limit.clone(), HeaderValue::Int(i64::try_from(at).unwrap_or(i64::MAX)))
        });
        set(headers, names::TURNS, turns.collect());
    }

    /// The place of a lock, which is then gone: it can be used once.
    pub(crate) fn take_place(&mut self, lock: &str) -> Option<Ticket> {
        let index = self.places.iter().position(|(address, _)| address == lock)?;
        Some(self.places.swap_remove(index).1)
    }

    /// The turn of a rate limit.
    pub(crate) fn turn(&self, limit: &str) -> Option<SystemTime> {
        self.turns.iter().find(|(address, _)| address == limit).map(|(_, at)| *at)
    }

    /// Why a message that keeps this was put off by its handler.
    pub(crate) fn reason(&self) -> Reason {
        if self.places.is_empty() { Reason::Postponed } else { Reason::Busy }
    }
}

fn set(headers: &mut Headers, name: &'static str, entries: Vec<(String, HeaderValue)>) {
    if entries.is_empty() {
        headers.remove(name);
    } else {
        headers.set(name, HeaderValue::Table(entries));
    }
}
