use rusqlite::Connection;

/// Declares `Statements`, which a connection's owner prepares once. (rusqlite's own cache is a feature that not every version in our range has.)
///
/// In tests there is also `ALL`, of their names and texts.
///
/// # Examples
///
/// ```
/// celeriac_sqlite::statements! {
///     one = "SELECT 1";
/// }
///
/// let connection = celeriac_sqlite::rusqlite::Connection::open_in_memory()?;
/// let mut statements = Statements::prepare(&connection)?;
/// assert_eq!(statements.one.query_row([], |row| row.get::<_, i64>(0))?, 1);
/// # Ok::<_, celeriac_sqlite::rusqlite::Error>(())
/// ```
#[macro_export]
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        /// The statements of the connection's owner, prepared once.
        pub(crate) struct Statements<'c> { $($(#[$doc])* pub(crate) $name: $crate::rusqlite::Statement<'c>,)+ }

        impl<'c> Statements<'c> {
            pub(crate) fn prepare(connection: &'c $crate::rusqlite::Connection) -> $crate::rusqlite::Result<Self> {
                Ok(Self { $($name: connection.prepare($sql)?,)+ })
            }
        }

        #[cfg(test)]
        const ALL: &[(&str, &str)] = &[$((stringify!($name), $sql),)+];
    };
}

/// How SQLite would go about a statement, step by step; for tests.
///
/// # Errors
///
/// SQLite's.
pub fn plan(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    for index in 1..=plan.parameter_count() {
        plan.raw_bind_parameter(index, 1)?;
    }
    plan.raw_query().mapped(|row| row.get(3)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_what_is_scanned() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE a (id INTEGER PRIMARY KEY, b)").unwrap();
        assert_eq!(plan(&connection, "SELECT id FROM a WHERE b = ?1").unwrap(), ["SCAN a"]);
        assert!(plan(&connection, "SELECT b FROM a WHERE id = ?1").unwrap()[0].starts_with("SEARCH"));
    }
}
