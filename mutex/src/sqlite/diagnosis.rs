use std::time::Duration;

use super::{fault::Fault, schema::SCHEMA, transaction::Transaction};
use crate::store::{Finding, Severity};

/// How far the time of day may be from the store's clock before it is mentioned.
const CLOCK: Duration = Duration::from_secs(1);

/// What an operator should know.
pub(super) fn diagnose(transaction: &mut Transaction<'_, '_>) -> Result<Vec<Finding>, Fault> {
    let text = |sql: &str| transaction.book.connection.query_row(sql, [], |row| row.get::<_, String>(0));
    let journal = text("PRAGMA journal_mode")?;
    let journal = if journal.eq_ignore_ascii_case("wal") {
        Finding::new("journal", Severity::Ok, "a write-ahead log, as several processes need")
    } else {
        let text = format!("its mode is {journal}, and several processes need WAL: another program has changed it");
        Finding::new("journal", Severity::Error, text)
    };
    let check = text("PRAGMA quick_check(1)")?;
    let check = if check == "ok" {
        Finding::new("integrity", Severity::Ok, "the quick check found nothing")
    } else {
        let text = format!("{check}; stop every process, and save what can be read with `sqlite3 FILE .recover`");
        Finding::new("integrity", Severity::Error, text)
    };
    let (version, ours) = (SCHEMA.found(transaction.book.connection)?, SCHEMA.version());
    let severity = if version == ours { Severity::Ok } else { Severity::Error };
    let schema =
        Finding::new("schema", severity, format!("version {version} of {ours}, SQLite {}", rusqlite::version()));
    Ok(vec![journal, check, schema, transaction.processes(), transaction.clock()])
}

impl Transaction<'_, '_> {
    fn processes(&self) -> Finding {
        let dead = self.household.dead().len();
        let living = self.household.others().len() - dead + self.household.present().len();
        if dead == 0 {
            return Finding::new(
                "processes",
                Severity::Ok,
                format!("{living} alive, and no dead one has left anything"),
            );
        }
        let text = format!("{living} alive; {dead} have died, and whoever wants a lease of theirs gets it at once");
        Finding::new("processes", Severity::Warning, text)
    }

    fn clock(&self) -> Finding {
        let distance = self.book.clock.distance();
        if distance < CLOCK {
            return Finding::new("clock", Severity::Ok, format!("{distance:?} from the time of day"));
        }
        let text = format!(
            "{distance:?} from the time of day, which was set since the machine started; this changes no lock, and ends with the next start"
        );
        Finding::new("clock", Severity::Warning, text)
    }
}
