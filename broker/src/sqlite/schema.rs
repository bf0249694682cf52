use celeriac_sqlite::Schema;

/// The broker's tables. `state` is 0 ready, 1 delayed, 2 claimed. Instants are microseconds since 1970.
pub(super) const SCHEMA: Schema = Schema {
    part: "broker",
    steps: &["
CREATE TABLE celeriac_queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE celeriac_message (
    id INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    state INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    owner INTEGER,
    head BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX celeriac_message_ready ON celeriac_message (queue, priority DESC, ready_at, id, deliveries) WHERE state = 0;
CREATE INDEX celeriac_message_suspect ON celeriac_message (queue, deliveries) WHERE state = 0 AND deliveries > 0;
CREATE INDEX celeriac_message_delayed ON celeriac_message (ready_at, queue) WHERE state = 1;
CREATE INDEX celeriac_message_claimed ON celeriac_message (owner, queue) WHERE state = 2;
CREATE TABLE celeriac_process (
    id INTEGER PRIMARY KEY,
    pid INTEGER NOT NULL,
    renewed_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE TABLE celeriac_consumer (
    process INTEGER NOT NULL,
    queue TEXT NOT NULL,
    consumers INTEGER NOT NULL,
    PRIMARY KEY (process, queue)
) STRICT, WITHOUT ROWID;
"],
};
