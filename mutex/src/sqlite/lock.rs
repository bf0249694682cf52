use rusqlite::{Row, params, types::Type};

use super::{
    clock::{signed, unsigned},
    holders,
    line::found,
    statements::Lent,
};
use crate::rules::{Lock, Micros};

/// One lock as its row has it.
pub(super) struct Loaded {
    pub(super) lock: Lock,
    /// Whether there is a row.
    pub(super) known: bool,
    /// Whether anybody waits, or did when nobody looked.
    pub(super) crowded: bool,
    /// When it was last changed.
    pub(super) used_at: Micros,
}

pub(super) fn load(statements: &mut Lent<'_, '_>, key: &str) -> rusqlite::Result<Loaded> {
    let unknown = Loaded { lock: Lock::default(), known: false, crowded: false, used_at: 0 };
    Ok(found(statements.load.query_row([key], read))?.unwrap_or(unknown))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Loaded> {
    let number = |column: usize| row.get::<_, i64>(column).map(unsigned);
    let optional = |column: usize| row.get::<_, Option<i64>>(column).map(|number| number.map(unsigned));
    let passers: Option<String> = row.get(6)?;
    let holders: Option<String> = row.get(7)?;
    let lock = Lock {
        leases: row.get(0)?,
        resized: row.get(1)?,
        fence: number(2)?,
        ranks: number(3)?,
        mean_hold: optional(4)?,
        reassert_until: optional(5)?,
        holders: holders.map_or(Ok(Vec::new()), |text| holders::decode(&text).ok_or_else(illegible))?,
        passers: passers.map_or(Ok(Vec::new()), |text| decode_ranks(&text).ok_or_else(illegible))?,
    };
    Ok(Loaded { lock, known: true, crowded: row.get(9)?, used_at: number(8)? })
}

fn illegible() -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(7, Type::Text, "another program has written this lock's row".into())
}

/// Ranks with spaces between them; `None` where there is none.
fn encode_ranks(ranks: &[u64]) -> Option<String> {
    (!ranks.is_empty()).then(|| ranks.iter().map(u64::to_string).collect::<Vec<_>>().join(" "))
}

/// Reads what [`encode_ranks`] wrote; `None` where it is something else.
fn decode_ranks(text: &str) -> Option<Vec<u64>> {
    text.split(' ').map(|rank| rank.parse().ok()).collect()
}

/// Writes it back; `known` says whether there is a row.
pub(super) fn store(
    statements: &mut Lent<'_, '_>,
    key: &str,
    lock: &Lock,
    known: bool,
    now: Micros,
) -> rusqlite::Result<()> {
    let statement = if known { &mut *statements.update } else { &mut *statements.insert };
    statement.execute(params![
        key,
        lock.leases,
        lock.resized,
        signed(lock.fence),
        signed(lock.ranks),
        lock.mean_hold.map(signed),
        lock.reassert_until.map(signed),
        encode_ranks(&lock.passers),
        holders::encode(&lock.holders),
        signed(now),
    ])?;
    Ok(())
}
