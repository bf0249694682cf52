//! What can be read without keeping anybody from writing.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;

use super::{codec, entry, fault::Fault, schema::SCHEMA};
use crate::{Message, QueueInfo, QueueName};

/// A look at the file.
pub(super) enum Read {
    Queues(oneshot::Sender<Result<Vec<QueueInfo>, Fault>>),
    Queue(QueueName, oneshot::Sender<Result<Option<QueueInfo>, Fault>>),
    /// Ready messages of a queue, after the one given, in the order of delivery.
    Page(QueueName, Option<Place>, usize, oneshot::Sender<Result<Vec<Seen>, Fault>>),
    Diagnose(oneshot::Sender<Result<Condition, Fault>>),
}

/// Where a ready message stands: priority, ready time, id.
pub(super) type Place = (i64, i64, i64);

/// A ready message, looked at.
pub(super) struct Seen {
    pub(super) place: Place,
    pub(super) message: Message,
}

/// How the file is.
#[derive(Debug, Default)]
pub(super) struct Condition {
    pub(super) version: i64,
    pub(super) sqlite: String,
    pub(super) synchronous: i64,
    pub(super) journal: String,
    pub(super) bytes: i64,
    pub(super) free_bytes: i64,
    pub(super) check: String,
    pub(super) processes: i64,
    pub(super) oldest_renewal: Option<Duration>,
    pub(super) orphans: i64,
}

impl Read {
    pub(super) fn answer(self, connection: &Connection) {
        // Who asked may have gone.
        let _ = match self {
            Self::Queues(answer) => answer.send(queues(connection).map_err(Fault::from)).is_ok(),
            Self::Queue(name, answer) => answer.send(queue(connection, &name).map_err(Fault::from)).is_ok(),
            Self::Page(name, after, limit, answer) => {
                answer.send(page(connection, &name, after, limit).map_err(Fault::from)).is_ok()
            }
            Self::Diagnose(answer) => answer.send(condition(connection)).is_ok(),
        };
    }

    pub(super) fn refuse(self, fault: Fault) {
        let _ = match self {
            Self::Queues(answer) => answer.send(Err(fault)).is_ok(),
            Self::Queue(_, answer) => answer.send(Err(fault)).is_ok(),
            Self::Page(_, _, _, answer) => answer.send(Err(fault)).is_ok(),
            Self::Diagnose(answer) => answer.send(Err(fault)).is_ok(),
        };
    }
}

fn queues(connection: &Connection) -> rusqlite::Result<Vec<QueueInfo>> {
    let mut statement = connection.prepare("SELECT name FROM celeriac_queue ORDER BY name")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut infos = Vec::with_capacity(names.len());
    for name in names.iter().filter_map(|name| QueueName::new(name).ok()) {
        infos.extend(queue(connection, &name)?);
    }
    Ok(infos)
}

fn id(connection: &Connection, name: &QueueName) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT id FROM celeriac_queue WHERE name = ?1", [name.as_str()], |row| row.get(0)).optional()
}

fn queue(connection: &Connection, name: &QueueName) -> rusqlite::Result<Option<QueueInfo>> {
    let Some(id) = id(connection, name)? else { return Ok(None) };
    let now = entry::now();
    let count = |sql: &str| -> rusqlite::Result<u64> {
        let count: i64 = connection.query_row(sql, params![id, now], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    };
    // What is due counts as ready, promoted or not: nobody promotes where nobody consumes.
    let due = "SELECT count(*) FROM celeriac_message WHERE state = 1 AND ready_at <= ?2 AND queue = ?1";
    let later = "SELECT count(*) FROM celeriac_message WHERE state = 1 AND ready_at > ?2 AND queue = ?1";
    let ready = "SELECT count(*) FROM celeriac_message WHERE state = 0 AND queue = ?1 AND ?2 = ?2";
    let running = "SELECT count(*) FROM celeriac_message WHERE state = 2 AND queue = ?1 AND ?2 = ?2";
    let consumers = "SELECT coalesce(sum(consumers), 0) FROM celeriac_consumer JOIN celeriac_process ON id = process
        WHERE queue = (SELECT name FROM celeriac_queue WHERE id = ?1) AND expires_at >= ?2";
    Ok(Some(QueueInfo {
        ready: Some(count(ready)? + count(due)?),
        delayed: Some(count(later)?),
        running: Some(count(running)?),
        consumers: Some(count(consumers)?),
        oldest: oldest(connection, id, now)?,
        kind: Some("sqlite".into()),
        ..QueueInfo::unknown(name.clone())
    }))
}

/// One seek per priority, instead of a look at every row.
fn oldest(connection: &Connection, queue: i64, now: i64) -> rusqlite::Result<Option<Duration>> {
    let sql = "SELECT min(ready_at) FROM celeriac_message WHERE queue = ?1 AND state = 0 AND priority = ?2";
    let mut ready = connection.prepare(sql)?;
    let due = "SELECT min(ready_at) FROM celeriac_message WHERE state = 1 AND ready_at <= ?2 AND queue = ?1";
    let mut oldest: Option<i64> = connection.query_row(due, params![queue, now], |row| row.get(0))?;
    for priority in 0..=i64::from(crate::transport::MAX_PRIORITY) {
        let found: Option<i64> = ready.query_row(params![queue, priority], |row| row.get(0))?;
        oldest = match (oldest, found) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    Ok(oldest.map(|since| Duration::from_micros(u64::try_from(now - since).unwrap_or(0))))
}

fn page(connection: &Connection, name: &QueueName, after: Option<Place>, limit: usize) -> rusqlite::Result<Vec<Seen>> {
    let Some(id) = id(connection, name)? else { return Ok(Vec::new()) };
    // Priority by priority, so that each page is a seek in the index, however long the queue.
    let mut statement = connection.prepare(
        "SELECT priority, ready_at, id, head, body FROM celeriac_message
        WHERE queue = ?1 AND state = 0 AND priority = ?2 AND (ready_at, id) > (?3, ?4)
        ORDER BY ready_at, id LIMIT ?5",
    )?;
    let first = (i64::from(crate::transport::MAX_PRIORITY), i64::MIN, i64::MIN);
    let (highest, mut ready_at, mut last) = after.unwrap_or(first);
    let mut seen: Vec<Seen> = Vec::new();
    for priority in (0..=highest).rev() {
        let left = i64::try_from(limit - seen.len()).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![id, priority, ready_at, last, left], |row| {
            let (head, body): (Vec<u8>, Vec<u8>) = (row.get(3)?, row.get(4)?);
            Ok(Seen { place: (row.get(0)?, row.get(1)?, row.get(2)?), message: message(&head, body) })
        })?;
        for row in rows {
            seen.push(row?);
        }
        if seen.len() >= limit {
            break;
        }
        (ready_at, last) = (i64::MIN, i64::MIN);
    }
    Ok(seen)
}

/// The message of a row. Headers that can't be read are left out: the worker buries what it can't run.
pub(super) fn message(head: &[u8], body: Vec<u8>) -> Message {
    let (properties, headers) = codec::decode(head).unwrap_or_default();
    Message::new(properties, headers, body)
}

fn condition(connection: &Connection) -> Result<Condition, Fault> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0));
    let page = number("PRAGMA page_size")?;
    let renewal = "SELECT min(renewed_at) FROM celeriac_process";
    let oldest: Option<i64> = connection.query_row(renewal, [], |row| row.get(0))?;
    let orphans = "SELECT count(*) FROM celeriac_message WHERE state = 2
        AND owner NOT IN (SELECT id FROM celeriac_process WHERE expires_at >= ?1)";
    Ok(Condition {
        version: SCHEMA.found(connection)?,
        sqlite: rusqlite::version().to_owned(),
        synchronous: number("PRAGMA synchronous")?,
        journal: text("PRAGMA journal_mode")?,
        bytes: number("PRAGMA page_count")? * page,
        free_bytes: number("PRAGMA freelist_count")? * page,
        check: text("PRAGMA quick_check(1)")?,
        processes: number("SELECT count(*) FROM celeriac_process")?,
        oldest_renewal: oldest
            .map(|since| Duration::from_micros(u64::try_from(entry::now().saturating_sub(since)).unwrap_or(0))),
        orphans: connection.query_row(orphans, [entry::now()], |row| row.get(0))?,
    })
}
