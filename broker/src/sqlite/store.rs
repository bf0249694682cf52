use std::{cmp::Reverse, collections::HashMap};

use rusqlite::{Connection, OptionalExtension, Row, Statement, params};

use super::{
    command::{Claim, Claimed, Done, Entry, Sentence, Write},
    entry,
    statements::Statements,
};
use crate::QueueName;

/// The open file, as the writing thread knows it. What it remembers holds until somebody else has written.
pub(super) struct Store<'c> {
    connection: &'c Connection,
    statements: Statements<Statement<'c>>,
    limit: Option<Limit<'c>>,
    data_version: i64,
    queues: HashMap<QueueName, i64>,
    last_id: Option<i64>,
    /// When the next delayed message is due.
    pub(super) next_due: Option<i64>,
    /// The time of the transaction.
    pub(super) now: i64,
}

/// How large publishing may make the file. Claims and copies may go beyond: a full file must be able to empty itself.
struct Limit<'c> {
    set: Statement<'c>,
    lift: Statement<'c>,
}

impl<'c> Limit<'c> {
    fn prepare(connection: &'c Connection, bytes: u64) -> rusqlite::Result<Self> {
        let page: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let pages = (i64::try_from(bytes).unwrap_or(i64::MAX) / page.max(1)).min(i64::from(u32::MAX - 1));
        let set = connection.prepare(&format!("PRAGMA max_page_count = {pages}"))?;
        let lift = connection.prepare(&format!("PRAGMA max_page_count = {}", u32::MAX - 1))?;
        Ok(Self { set, lift })
    }
}

/// One claim of a batch.
pub(super) struct Wish<'w> {
    pub(super) queue: &'w QueueName,
    pub(super) consumer: u64,
    pub(super) owner: i64,
    pub(super) room: usize,
    pub(super) isolate_after: u32,
    /// Whether a suspect may be among them.
    pub(super) suspect: bool,
}

impl<'c> Store<'c> {
    pub(super) fn new(connection: &'c Connection, max_size: Option<u64>) -> rusqlite::Result<Self> {
        let mut statements = Statements::prepare(connection)?;
        let data_version = statements.data_version.query_row([], |row| row.get(0))?;
        let next_due = statements.next_due.query_row([], |row| row.get(0))?;
        let limit = max_size.map(|bytes| Limit::prepare(connection, bytes)).transpose()?;
        let (queues, now) = (HashMap::new(), entry::now());
        Ok(Self { connection, statements, limit, data_version, queues, last_id: None, next_due, now })
    }

    pub(super) fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// Whether somebody else has written since the last call.
    pub(super) fn refresh(&mut self) -> rusqlite::Result<bool> {
        let found = self.statements.data_version.query_row([], |row| row.get(0))?;
        if found == self.data_version {
            return Ok(false);
        }
        self.data_version = found;
        self.queues.clear();
        self.last_id = None;
        self.find_next_due()?;
        Ok(true)
    }

    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        self.statements.begin.execute([])?;
        self.now = entry::now();
        Ok(())
    }

    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        self.statements.commit.execute([]).map(drop)
    }

    pub(super) fn roll_back(&mut self) {
        if !self.connection.is_autocommit() {
            // An error leaves the transaction open, and the next `begin` says so.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        self.queues.clear();
        self.last_id = None;
    }

    /// Moves the write-ahead log into the file, as far as there is room, and gives its space back.
    pub(super) fn shrink_log(&self) {
        // It fails where there is no room at all; the next full transaction tries again.
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    pub(super) fn execute(&mut self, write: &Write) -> rusqlite::Result<Done> {
        match write {
            Write::Ping => Ok(Done::default()),
            Write::Publish(entry) => self.publish(entry),
            Write::Settle(claim, copy) => {
                let gone = self.statements.settle.execute(params![claim.id, claim.owner])?;
                if let (1, Some(copy)) = (gone, copy) {
                    self.insert(copy)?;
                }
                Ok(Done { gone: gone as u64, moved: 0 })
            }
            Write::Declare(names) => {
                for name in names {
                    self.declare(name)?;
                }
                Ok(Done::default())
            }
            Write::Purge(name) => self.purge(name),
            Write::Delete(name) => self.delete(name),
            Write::Promote => Ok(Done { gone: self.promote()?, moved: 0 }),
            Write::Apply(name, sentences) => self.apply(name, sentences),
        }
    }

    fn publish(&mut self, entry: &Entry) -> rusqlite::Result<Done> {
        if let Some(limit) = &mut self.limit {
            limit.set.query_row([], |_| Ok(()))?;
        }
        let done = self.insert(entry);
        if let Some(limit) = &mut self.limit {
            limit.lift.query_row([], |_| Ok(()))?;
        }
        done
    }

    fn insert(&mut self, entry: &Entry) -> rusqlite::Result<Done> {
        let queue = self.declare(&entry.queue)?;
        let last = match self.last_id {
            Some(last) => last,
            None => self.statements.last_id.query_row([], |row| row.get::<_, Option<i64>>(0))?.unwrap_or(0),
        };
        // An id is never given twice, so that an old claim never fits a new message: it follows the clock.
        let id = last.saturating_add(1).max(self.now);
        let delayed = entry.due > self.now;
        let ready_at = if entry.due == 0 { self.now } else { entry.due };
        self.statements.insert.execute(params![
            id,
            queue,
            i64::from(delayed),
            ready_at,
            entry.priority,
            entry.deaths,
            entry.head.as_slice(),
            &*entry.body
        ])?;
        self.last_id = Some(id);
        if delayed {
            self.next_due = Some(self.next_due.map_or(ready_at, |due| due.min(ready_at)));
        }
        Ok(Done::default())
    }

    /// The queue's id, if it is there.
    fn queue(&mut self, name: &QueueName) -> rusqlite::Result<Option<i64>> {
        if let Some(id) = self.queues.get(name) {
            return Ok(Some(*id));
        }
        let found = self.statements.queue_id.query_row([name.as_str()], |row| row.get(0)).optional()?;
        if let Some(id) = found {
            self.queues.insert(name.clone(), id);
        }
        Ok(found)
    }

    /// The queue's id; it is made where it is missing, as publishers may come before any worker.
    fn declare(&mut self, name: &QueueName) -> rusqlite::Result<i64> {
        match self.queue(name)? {
            Some(id) => Ok(id),
            None => self.statements.add_queue.query_row([name.as_str()], |row| row.get(0)),
        }
    }

    fn purge(&mut self, name: &QueueName) -> rusqlite::Result<Done> {
        self.promote()?;
        let gone = match self.queue(name)? {
            Some(queue) => self.statements.purge.execute([queue])?,
            None => 0,
        };
        Ok(Done { gone: gone as u64, moved: 0 })
    }

    fn delete(&mut self, name: &QueueName) -> rusqlite::Result<Done> {
        if let Some(queue) = self.queue(name)? {
            self.statements.drop_messages.execute([queue])?;
            self.statements.drop_queue.execute([queue])?;
        }
        if let Ok(dead) = name.dead()
            && let Some(queue) = self.queue(&dead)?
            && !self.statements.any_message.exists([queue])?
        {
            self.statements.drop_queue.execute([queue])?;
        }
        self.queues.clear();
        Ok(Done::default())
    }

    fn apply(&mut self, name: &QueueName, sentences: &[(i64, Sentence)]) -> rusqlite::Result<Done> {
        let mut done = Done::default();
        let Some(queue) = self.queue(name)? else { return Ok(done) };
        for (id, sentence) in sentences {
            // What a worker has claimed since it was looked at is the worker's.
            if self.statements.delete_ready.execute([*id, queue])? == 0 {
                continue;
            }
            match sentence {
                Sentence::Delete => done.gone += 1,
                Sentence::Move(copy) => {
                    self.insert(copy)?;
                    done.moved += 1;
                }
            }
        }
        Ok(done)
    }

    pub(super) fn release(&mut self, claim: Claim, counted: bool) -> rusqlite::Result<()> {
        let mut rows = self.statements.release.query(params![claim.id, claim.owner, i64::from(!counted)])?;
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// Whether a queue has anything ready; a look, so that nobody writes for nothing.
    pub(super) fn has_ready(&mut self, name: &QueueName) -> rusqlite::Result<bool> {
        match self.queue(name)? {
            Some(queue) => self.statements.any_ready.exists([queue]),
            None => Ok(false),
        }
    }

    /// Gives as many ready messages as there is room for. Tells which of them is a suspect.
    pub(super) fn claim(&mut self, wish: &Wish<'_>, claimed: &mut Vec<Claimed>) -> rusqlite::Result<Option<i64>> {
        let Some(queue) = self.queue(wish.queue)? else { return Ok(None) };
        let mut room = i64::try_from(wish.room).unwrap_or(i64::MAX);
        let (mut suspect, known) = (None, claimed.len());
        let read = |row: &Row<'_>| read(row, wish);
        if wish.suspect && self.statements.any_suspect.exists(params![queue, wish.isolate_after])? {
            let rows = self.statements.next_suspect.query_map(params![queue, 1, wish.isolate_after], read)?;
            for row in rows {
                let row = row?;
                suspect = Some(row.claim.id);
                claimed.push(row);
                room -= 1;
            }
        }
        if room > 0 {
            let rows = self.statements.next.query_map(params![queue, room, wish.isolate_after], read)?;
            for row in rows {
                claimed.push(row?);
            }
        }
        for row in &claimed[known..] {
            self.statements.claim.execute([row.claim.id, wish.owner])?;
        }
        // Where the suspect goes among the others.
        claimed.sort_unstable_by_key(|row| row.order);
        Ok(suspect)
    }

    /// Makes ready what is due, a part of it where it is much.
    pub(super) fn promote(&mut self) -> rusqlite::Result<u64> {
        if self.next_due.is_none_or(|due| due > self.now) {
            return Ok(0);
        }
        let promoted = self.statements.promote.execute([self.now])?;
        self.find_next_due()?;
        Ok(promoted as u64)
    }

    pub(super) fn find_next_due(&mut self) -> rusqlite::Result<()> {
        self.next_due = self.statements.next_due.query_row([], |row| row.get(0))?;
        Ok(())
    }

    pub(super) fn register(&mut self, process: i64, expires_at: i64) -> rusqlite::Result<()> {
        let pid = i64::from(std::process::id());
        self.statements.register.execute([process, pid, self.now, expires_at]).map(drop)
    }

    /// `false`: somebody took this process for dead.
    pub(super) fn renew(&mut self, process: i64, expires_at: i64) -> rusqlite::Result<bool> {
        Ok(self.statements.renew.execute([process, self.now, expires_at])? == 1)
    }

    pub(super) fn set_consumers(&mut self, process: i64, queue: &QueueName, consumers: u32) -> rusqlite::Result<()> {
        self.statements.set_consumers.execute(params![process, queue.as_str(), consumers]).map(drop)
    }

    /// The processes whose time is over, each with when it was; a look.
    pub(super) fn expired(&mut self, but: i64) -> rusqlite::Result<Vec<(i64, i64)>> {
        let now = entry::now();
        let mut expired = self
            .statements
            .expired
            .query_map([now, but], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let unknown = self.statements.unknown_owners.query_map([], |row| row.get(0))?;
        for owner in unknown {
            expired.push((owner?, 0));
        }
        Ok(expired)
    }

    /// Gives back what a process holds, counted, and forgets it.
    pub(super) fn bury(&mut self, process: i64) -> rusqlite::Result<()> {
        self.statements.release_all.execute([process])?;
        self.statements.drop_consumers.execute([process])?;
        self.statements.bury.execute([process]).map(drop)
    }
}

fn read(row: &Row<'_>, wish: &Wish<'_>) -> rusqlite::Result<Claimed> {
    let (id, priority, ready_at) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(Claimed {
        claim: Claim { id, owner: wish.owner, consumer: wish.consumer },
        order: (Reverse(priority), ready_at, id),
        // With this one.
        deliveries: u32::try_from(row.get::<_, i64>(3)?).unwrap_or(u32::MAX).saturating_add(1),
        head: row.get(4)?,
        body: row.get(5)?,
    })
}
