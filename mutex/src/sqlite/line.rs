use std::time::Duration;

use rusqlite::{Row, params};

use super::{
    clock::{signed, unsigned},
    statements::Statements,
};
use crate::{
    Owner,
    rules::{Line, Micros, Waiting, micros},
    store::LeaseId,
};

/// How many ranks are counted together.
const BUCKET: i64 = 128;

/// Those who wait for one lock, in its tables.
pub(super) struct TableLine<'l, 'c> {
    statements: &'l mut Statements<'c>,
    key: &'l str,
    /// Whether anybody waits: where nobody does, nothing is asked.
    crowded: bool,
}

impl<'l, 'c> TableLine<'l, 'c> {
    pub(super) fn new(statements: &'l mut Statements<'c>, key: &'l str, crowded: bool) -> Self {
        Self { statements, key, crowded }
    }

    fn first(&mut self, parked: bool) -> rusqlite::Result<Option<Waiting>> {
        if !self.crowded {
            return Ok(None);
        }
        found(self.statements.first_waiter.query_row(params![self.key, parked], waiting))
    }

    fn before(&mut self, parked: bool, rank: u64) -> rusqlite::Result<u64> {
        if !self.crowded {
            return Ok(0);
        }
        let bucket = signed(rank) / BUCKET;
        let whole: i64 = self.statements.crowd_before.query_row(params![self.key, parked, bucket], |row| row.get(0))?;
        let range = params![self.key, parked, bucket * BUCKET, signed(rank)];
        let rest: i64 = self.statements.waiters_after.query_row(range, |row| row.get(0))?;
        Ok(unsigned(whole + rest))
    }
}

impl Line for TableLine<'_, '_> {
    type Error = rusqlite::Error;

    fn get(&mut self, lease: &LeaseId) -> rusqlite::Result<Option<Waiting>> {
        if !self.crowded {
            return Ok(None);
        }
        found(self.statements.waiter.query_row(params![self.key, lease.as_str()], waiting))
    }

    fn put(&mut self, entry: Waiting) -> rusqlite::Result<()> {
        let (lease, parked, rank) = (entry.lease.as_str(), entry.due.is_some(), signed(entry.rank));
        let (until, due, ttl) = (signed(entry.until), entry.due.map(signed), signed(micros(entry.ttl)));
        if self.crowded {
            let renewed = params![self.key, lease, parked, rank, until, due, entry.weight, ttl];
            if self.statements.renew_waiter.execute(renewed)? > 0 {
                return Ok(());
            }
            self.remove(&entry.lease)?;
        }
        let (process, owner) = (entry.process.as_str(), entry.owner.encode());
        let added =
            params![self.key, parked, rank, lease, process, entry.weight, ttl, signed(entry.since), until, due, owner];
        self.statements.add_waiter.execute(added)?;
        self.statements.join_crowd.execute(params![self.key, parked, rank / BUCKET])?;
        self.crowded = true;
        Ok(())
    }

    fn remove(&mut self, lease: &LeaseId) -> rusqlite::Result<Option<Waiting>> {
        if !self.crowded {
            return Ok(None);
        }
        let removed = found(self.statements.remove_waiter.query_row(params![self.key, lease.as_str()], waiting))?;
        if let Some(entry) = &removed {
            let bucket = params![self.key, entry.due.is_some(), signed(entry.rank) / BUCKET];
            self.statements.leave_crowd.execute(bucket)?;
            self.statements.thin_crowd.execute(bucket)?;
        }
        Ok(removed)
    }

    fn first_live(&mut self) -> rusqlite::Result<Option<Waiting>> {
        self.first(false)
    }

    fn first_parked(&mut self) -> rusqlite::Result<Option<Waiting>> {
        self.first(true)
    }

    fn live_before(&mut self, rank: u64) -> rusqlite::Result<u64> {
        self.before(false, rank)
    }

    fn parked_before(&mut self, rank: u64) -> rusqlite::Result<u64> {
        self.before(true, rank)
    }

    fn remove_stale(&mut self, now: Micros, limit: usize) -> rusqlite::Result<()> {
        if !self.crowded {
            return Ok(());
        }
        let range = params![self.key, signed(now), signed(limit as u64)];
        let stale: Vec<String> =
            self.statements.stale_waiters.query_map(range, |row| row.get(0))?.collect::<Result<_, _>>()?;
        for lease in stale {
            self.remove(&lease.into())?;
        }
        Ok(())
    }
}

/// Whatever SQLite finds, it finds at once or not at all.
pub(super) fn found<T>(result: rusqlite::Result<T>) -> rusqlite::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(None),
        Err(error) => Err(error),
    }
}

/// One who waits, from the nine columns that the statements name.
pub(super) fn waiting(row: &Row<'_>) -> rusqlite::Result<Waiting> {
    let number = |column: usize| row.get::<_, i64>(column).map(unsigned);
    Ok(Waiting {
        rank: number(0)?,
        lease: row.get::<_, String>(1)?.into(),
        process: row.get::<_, String>(2)?.as_str().into(),
        weight: row.get(3)?,
        ttl: Duration::from_micros(number(4)?),
        since: number(5)?,
        until: number(6)?,
        due: row.get::<_, Option<i64>>(7)?.map(unsigned),
        owner: Owner::decode(&row.get::<_, String>(8)?),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;
    use crate::{rules::MemoryLine, sqlite::schema::SCHEMA};

    fn entry(id: u8, rank: u64, until: u64, parked: bool) -> Waiting {
        Waiting {
            rank,
            lease: format!("lease {id}").into(),
            process: "p".into(),
            weight: 1 + u32::from(id) % 3,
            ttl: Duration::from_millis(10),
            since: rank,
            until,
            due: parked.then_some(until / 2),
            owner: Owner::worker("w").task("t", "i"),
        }
    }

    proptest! {
        #[test]
        fn it_does_what_a_line_in_memory_does(steps in proptest::collection::vec((0u8..7, 0u8..24, 0u64..1000, any::<bool>()), 1..120)) {
            let connection = Connection::open_in_memory().unwrap();
            SCHEMA.migrate(&connection).unwrap();
            let mut statements = Statements::prepare(&connection).unwrap();
            let mut other = TableLine::new(&mut statements, "other", false);
            other.put(entry(3, 5, 5, false)).unwrap();
            let mut ours = TableLine::new(&mut statements, "ours", false);
            let mut memory = MemoryLine::default();
            for (n, (step, id, at, parked)) in steps.into_iter().enumerate() {
                let lease: LeaseId = format!("lease {id}").into();
                match step {
                    0..3 => {
                        // A rank is given out once; whoever asks again keeps the one it has.
                        let rank = memory.get(&lease).unwrap().map_or(7 * n as u64 + 1, |own| own.rank);
                        ours.put(entry(id, rank, at, parked)).unwrap();
                        memory.put(entry(id, rank, at, parked)).unwrap();
                    }
                    3 => prop_assert_eq!(ours.remove(&lease).unwrap(), memory.remove(&lease).unwrap()),
                    4 => {
                        ours.remove_stale(at / 4, 2).unwrap();
                        memory.remove_stale(at / 4, 2).unwrap();
                    }
                    _ => {
                        prop_assert_eq!(ours.get(&lease).unwrap(), memory.get(&lease).unwrap());
                        for rank in [at, u64::MAX] {
                            prop_assert_eq!(ours.live_before(rank).unwrap(), memory.live_before(rank).unwrap());
                            prop_assert_eq!(ours.parked_before(rank).unwrap(), memory.parked_before(rank).unwrap());
                        }
                    }
                }
                prop_assert_eq!(ours.first_live().unwrap(), memory.first_live().unwrap());
                prop_assert_eq!(ours.first_parked().unwrap(), memory.first_parked().unwrap());
            }
        }
    }
}
