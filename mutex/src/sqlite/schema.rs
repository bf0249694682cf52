use celeriac_sqlite::Schema;

/// The locks' tables. Instants are microseconds since 1970 by our own clock.
///
/// Who holds a lock stands in its row: taking a free lock writes one page. `numbers` is whatever no statement asks for; each column more costs
/// every question some tenths of a microsecond. `celeriac_lock_crowd` counts those who wait, 128 ranks at a time,
/// so that a position is known without counting everybody.
pub(super) const SCHEMA: Schema = Schema {
    part: "locks",
    steps: &["
CREATE TABLE celeriac_lock (
    key TEXT PRIMARY KEY,
    resized INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    numbers TEXT NOT NULL,
    holders TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE celeriac_lock_waiter (
    key TEXT NOT NULL,
    parked INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    lease TEXT NOT NULL,
    process TEXT NOT NULL,
    weight INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    due INTEGER,
    owner TEXT NOT NULL,
    PRIMARY KEY (key, parked, rank)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX celeriac_lock_waiter_lease ON celeriac_lock_waiter (key, lease);
CREATE INDEX celeriac_lock_waiter_until ON celeriac_lock_waiter (key, until, rank);
CREATE TABLE celeriac_lock_crowd (
    key TEXT NOT NULL,
    parked INTEGER NOT NULL,
    bucket INTEGER NOT NULL,
    waiters INTEGER NOT NULL,
    PRIMARY KEY (key, parked, bucket)
) STRICT, WITHOUT ROWID;
CREATE TABLE celeriac_lock_hint (
    process TEXT NOT NULL,
    lease TEXT NOT NULL,
    key TEXT NOT NULL,
    after INTEGER,
    PRIMARY KEY (process, lease)
) STRICT, WITHOUT ROWID;
CREATE TABLE celeriac_lock_clock (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    boot TEXT NOT NULL,
    ahead INTEGER NOT NULL,
    reached INTEGER NOT NULL,
    swept TEXT NOT NULL DEFAULT '',
    grace_until INTEGER
) STRICT;
CREATE TABLE celeriac_rate (
    key TEXT PRIMARY KEY,
    back_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"],
};
