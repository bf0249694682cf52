celeriac_sqlite::statements! {
    begin = "BEGIN IMMEDIATE";
    commit = "COMMIT";
    data_version = "PRAGMA data_version";

    queue_id = "SELECT id FROM celeriac_queue WHERE name = ?1";
    add_queue = "INSERT INTO celeriac_queue (name) VALUES (?1) RETURNING id";
    drop_queue = "DELETE FROM celeriac_queue WHERE id = ?1";
    drop_messages = "DELETE FROM celeriac_message WHERE queue = ?1";
    any_message = "SELECT 1 FROM celeriac_message WHERE queue = ?1 LIMIT 1";

    /// The last id that was given out and is still there.
    last_id = "SELECT max(id) FROM celeriac_message";
    insert = "INSERT INTO celeriac_message (id, queue, state, ready_at, priority, deliveries, head, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    /// A row that somebody else has claimed since has another owner.
    settle = "DELETE FROM celeriac_message WHERE id = ?1 AND owner = ?2";
    release = "UPDATE celeriac_message SET state = 0, owner = NULL, deliveries = deliveries - ?3
        WHERE id = ?1 AND owner = ?2 RETURNING queue";
    release_all = "UPDATE celeriac_message SET state = 0, owner = NULL WHERE state = 2 AND owner = ?1";

    any_ready = "SELECT 1 FROM celeriac_message WHERE queue = ?1 AND state = 0 LIMIT 1";
    /// `+ 0`: SQLite plans for the number that a bare parameter has, and plans anew whenever it is another one.
    claim = "UPDATE celeriac_message SET state = 2, owner = ?3, deliveries = deliveries + 1 WHERE id IN (
            SELECT id FROM celeriac_message WHERE queue = ?1 AND state = 0 AND deliveries < ?4
            ORDER BY priority DESC, ready_at, id LIMIT ?2 + 0
        ) RETURNING id, priority, ready_at, deliveries, head, body";
    claim_suspect = "UPDATE celeriac_message SET state = 2, owner = ?3, deliveries = deliveries + 1 WHERE id IN (
            SELECT id FROM celeriac_message WHERE queue = ?1 AND state = 0 AND deliveries > 0 AND deliveries >= ?4
            ORDER BY priority DESC, ready_at, id LIMIT ?2 + 0
        ) RETURNING id, priority, ready_at, deliveries, head, body";
    any_suspect = "SELECT 1 FROM celeriac_message WHERE queue = ?1 AND state = 0 AND deliveries > 0 AND deliveries >= ?2 LIMIT 1";

    next_due = "SELECT min(ready_at) FROM celeriac_message WHERE state = 1";
    promote = "UPDATE celeriac_message SET state = 0 WHERE id IN (
            SELECT id FROM celeriac_message WHERE state = 1 AND ready_at <= ?1 ORDER BY ready_at LIMIT 1000
        )";

    register = "INSERT INTO celeriac_process (id, pid, renewed_at, expires_at) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (id) DO UPDATE SET renewed_at = ?3, expires_at = ?4";
    renew = "UPDATE celeriac_process SET renewed_at = ?2, expires_at = ?3 WHERE id = ?1";
    expired = "SELECT id, expires_at FROM celeriac_process WHERE expires_at < ?1 AND id <> ?2";
    /// Owners that nobody will ever renew: their process was buried while it slept.
    unknown_owners = "SELECT DISTINCT owner FROM celeriac_message
        WHERE state = 2 AND owner NOT IN (SELECT id FROM celeriac_process)";
    bury = "DELETE FROM celeriac_process WHERE id = ?1";
    drop_consumers = "DELETE FROM celeriac_consumer WHERE process = ?1";
    set_consumers = "INSERT INTO celeriac_consumer (process, queue, consumers) VALUES (?1, ?2, ?3)
        ON CONFLICT (process, queue) DO UPDATE SET consumers = ?3";

    purge = "DELETE FROM celeriac_message WHERE id IN (
            SELECT id FROM celeriac_message WHERE queue = ?1 AND state = 0 LIMIT 5000
        )";
    delete_ready = "DELETE FROM celeriac_message WHERE id = ?1 AND queue = ?2 AND state = 0";
}

#[cfg(test)]
mod tests {
    use celeriac_sqlite::plan;
    use rusqlite::Connection;

    use super::*;
    use crate::sqlite::schema::SCHEMA;

    #[test]
    fn no_statement_scans_the_messages() {
        let connection = Connection::open_in_memory().unwrap();
        SCHEMA.migrate(&connection).unwrap();
        for (name, sql) in ALL.iter().filter(|(_, sql)| sql.contains("celeriac_message")) {
            for step in plan(&connection, sql).unwrap() {
                let scans = step.starts_with("SCAN celeriac_message") && !step.contains("USING");
                // Deleting a whole queue is the one thing that may look at every row.
                assert!(!scans || ["drop_messages", "any_message"].contains(name), "{name}: {step}");
                assert!(!step.contains("TEMP B-TREE FOR ORDER BY") || *name == "claim_suspect", "{name}: {step}");
            }
        }
    }
}
