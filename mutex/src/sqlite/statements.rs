use rusqlite::Statement;

celeriac_sqlite::statements! {
    begin = "BEGIN IMMEDIATE";
    commit = "COMMIT";

    /// A lock, and whether anybody waits for it.
    load = "SELECT resized, used_at, numbers, holders,
            EXISTS (SELECT 1 FROM celeriac_lock_waiter WHERE key = ?1)
        FROM celeriac_lock WHERE key = ?1";
    insert = "INSERT INTO celeriac_lock (key, resized, used_at, numbers, holders) VALUES (?1, ?2, ?3, ?4, ?5)";
    update = "UPDATE celeriac_lock SET resized = ?2, used_at = ?3, numbers = ?4, holders = ?5 WHERE key = ?1";
    /// The locks that a process holds, as far as a text within a text can tell, and those that it waits for.
    concerned = "SELECT key FROM celeriac_lock WHERE holders IS NOT NULL AND instr(holders, ?1) > 0
        UNION SELECT key FROM celeriac_lock_waiter WHERE process = ?2 AND parked = 0";

    waiter = "SELECT rank, lease, process, weight, ttl, since, until, due, owner FROM celeriac_lock_waiter
        WHERE key = ?1 AND lease = ?2";
    first_waiter = "SELECT rank, lease, process, weight, ttl, since, until, due, owner FROM celeriac_lock_waiter
        WHERE key = ?1 AND parked = ?2 ORDER BY rank LIMIT 1";
    renew_waiter = "UPDATE celeriac_lock_waiter SET until = ?5, due = ?6, weight = ?7, ttl = ?8
        WHERE key = ?1 AND lease = ?2 AND parked = ?3 AND rank = ?4";
    add_waiter = "INSERT INTO celeriac_lock_waiter (key, parked, rank, lease, process, weight, ttl, since, until, due, owner)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    remove_waiter = "DELETE FROM celeriac_lock_waiter WHERE key = ?1 AND lease = ?2
        RETURNING rank, lease, process, weight, ttl, since, until, due, owner";
    stale_waiters = "SELECT lease FROM celeriac_lock_waiter WHERE key = ?1 AND until <= ?2 ORDER BY until, rank LIMIT ?3";
    waiters_of = "SELECT lease FROM celeriac_lock_waiter WHERE key = ?1 AND process = ?2 AND parked = 0";
    waiters_after = "SELECT count(*) FROM celeriac_lock_waiter WHERE key = ?1 AND parked = ?2 AND rank >= ?3 AND rank < ?4";
    crowd_before = "SELECT coalesce(sum(waiters), 0) FROM celeriac_lock_crowd WHERE key = ?1 AND parked = ?2 AND bucket < ?3";
    join_crowd = "INSERT INTO celeriac_lock_crowd (key, parked, bucket, waiters) VALUES (?1, ?2, ?3, 1)
        ON CONFLICT (key, parked, bucket) DO UPDATE SET waiters = waiters + 1";
    leave_crowd = "UPDATE celeriac_lock_crowd SET waiters = waiters - 1 WHERE key = ?1 AND parked = ?2 AND bucket = ?3";
    thin_crowd = "DELETE FROM celeriac_lock_crowd WHERE key = ?1 AND parked = ?2 AND bucket = ?3 AND waiters <= 0";

    add_hint = "INSERT INTO celeriac_lock_hint (process, lease, key, after) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT (process, lease) DO UPDATE SET key = ?3, after = ?4";
    any_hint = "SELECT 1 FROM celeriac_lock_hint WHERE process = ?1 LIMIT 1";
    take_hints = "DELETE FROM celeriac_lock_hint WHERE process = ?1 RETURNING lease, key, after";

    rate = "SELECT back_at FROM celeriac_rate WHERE key = ?1";
    set_rate = "INSERT INTO celeriac_rate (key, back_at) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET back_at = ?2";
    rates_from = "SELECT key, back_at FROM celeriac_rate WHERE key > ?1 ORDER BY key LIMIT ?2";
    remove_rate = "DELETE FROM celeriac_rate WHERE key = ?1";

    locks_from = "SELECT key, holders IS NULL AND NOT resized AND used_at <= ?3 FROM celeriac_lock
        WHERE key > ?1 ORDER BY key LIMIT ?2";
    remove_lock = "DELETE FROM celeriac_lock WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM celeriac_lock_waiter WHERE key = ?1)";
    set_reached = "UPDATE celeriac_lock_clock SET reached = max(reached, ?1)";
    set_swept = "UPDATE celeriac_lock_clock SET swept = ?1, reached = max(reached, ?2)";
}

/// The statements, as an open file lends them.
pub(super) type Lent<'b, 'c> = Statements<&'b mut Statement<'c>>;

#[cfg(test)]
mod tests {
    use celeriac_sqlite::plan;
    use rusqlite::Connection;

    use super::*;
    use crate::sqlite::schema::SCHEMA;

    #[test]
    fn no_statement_scans_a_table_or_sorts_but_the_one_for_the_dead() {
        let connection = Connection::open_in_memory().unwrap();
        SCHEMA.migrate(&connection).unwrap();
        for (name, sql) in ALL.iter().filter(|(name, _)| !["begin", "commit", "concerned"].contains(name)) {
            for step in plan(&connection, sql).unwrap() {
                let scans =
                    step.starts_with("SCAN") && step != "SCAN CONSTANT ROW" && step != "SCAN celeriac_lock_clock";
                assert!(!scans && !step.contains("TEMP B-TREE"), "{name}: {step}");
            }
        }
    }
}
