use rusqlite::{Connection, params};

use super::{
    clock::{Clock, signed},
    file::File,
    line::TableLine,
    statements::Statements,
};
use crate::{
    rules::{Line, Micros, micros},
    store::RETENTION,
};

/// How many rows are looked at for each that is added: what is added is outrun.
const TIDIED: i64 = 4;

/// An open file's statements and clock, and how far it has been tidied.
pub(super) struct Book<'c> {
    pub(super) connection: &'c Connection,
    pub(super) statements: Statements<'c>,
    pub(super) clock: &'c Clock,
    /// Until when locks that nobody remembers are kept back: the file was removed while processes lived, and they will say what they hold.
    pub(super) grace_until: Option<Micros>,
    /// The last lock that was looked at; written down now and then, so that processes that come and go get through the table too.
    swept: String,
    unwritten: i64,
    swept_rates: Option<String>,
}

impl<'c> Book<'c> {
    pub(super) fn open(file: &'c File) -> rusqlite::Result<Self> {
        let connection = &file.database.connection;
        let mut statements = Statements::prepare(connection)?;
        let swept = statements.swept.query_row([], |row| row.get(0))?;
        let (clock, grace_until) = (&file.clock, file.grace_until);
        Ok(Self { connection, statements, clock, grace_until, swept, unwritten: 0, swept_rates: None })
    }

    /// Looks at the next few locks, as one was added, and removes those that nobody has used for long.
    pub(super) fn tidy_locks(&mut self, now: Micros) -> rusqlite::Result<()> {
        let idle = signed(now.saturating_sub(micros(RETENTION)));
        let range = params![self.swept, TIDIED, idle];
        let rows = self.statements.locks_from.query_map(range, |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows: Vec<(String, bool)> = rows.collect::<Result<_, _>>()?;
        let mut removed = 0;
        for (key, _) in rows.iter().filter(|(_, idle)| *idle) {
            let stale = params![key, signed(now), i64::MAX];
            let stale = self.statements.stale_waiters.query_map(stale, |row| row.get::<_, String>(0))?;
            let stale: Vec<String> = stale.collect::<Result<_, _>>()?;
            let mut line = TableLine::new(&mut self.statements, key, true);
            for lease in stale {
                line.remove(&lease.into())?;
            }
            removed += self.statements.remove_lock.execute([key])?;
        }
        self.unwritten += signed(rows.len() as u64);
        // At the end it begins anew.
        self.swept =
            rows.into_iter().nth(usize::try_from(TIDIED).unwrap_or(4) - 1).map_or(String::new(), |(key, _)| key);
        // What is removed can't say any more what its last token was; the clock can.
        if removed > 0 || self.unwritten >= 64 {
            self.statements.set_swept.execute(params![self.swept, signed(now)])?;
            self.unwritten = 0;
        }
        Ok(())
    }

    /// The same for rate limits, of which nothing need be known once all has come back.
    pub(super) fn tidy_rates(&mut self, added: &str, now: Micros) -> rusqlite::Result<()> {
        let from = self.swept_rates.take().unwrap_or_else(|| added.to_owned());
        let rows = self.statements.rates_from.query_map(params![from, TIDIED], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows: Vec<(String, i64)> = rows.collect::<Result<_, _>>()?;
        for (key, _) in rows.iter().filter(|(_, back_at)| *back_at <= signed(now)) {
            self.statements.remove_rate.execute([key])?;
        }
        self.swept_rates =
            Some(rows.into_iter().nth(usize::try_from(TIDIED).unwrap_or(4) - 1).map_or(String::new(), |(key, _)| key));
        Ok(())
    }
}
