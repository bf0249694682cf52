use std::fmt::Write;

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
    let numbers = row.get_ref(2)?.as_str()?;
    let holders = row.get_ref(3)?.as_str_or_null()?;
    let lock = Lock {
        resized: row.get(0)?,
        holders: holders.map_or(Some(Vec::new()), holders::decode).ok_or_else(illegible)?,
        ..decode(numbers).ok_or_else(illegible)?
    };
    Ok(Loaded { lock, known: true, crowded: row.get(4)?, used_at: row.get(1).map(unsigned)? })
}

fn illegible() -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(2, Type::Text, "another program has written this lock's row".into())
}

/// What no statement asks for, as numbers with spaces between them: leases, fence, ranks, mean hold, until when it may be re-asserted, and
/// then the passers. `-` stands for none.
fn encode(lock: &Lock) -> String {
    let mut text = String::with_capacity(64);
    let mut add = |number: Option<u64>| {
        if !text.is_empty() {
            text.push(' ');
        }
        match number {
            // Nothing fails that is written to a text.
            Some(number) => drop(write!(text, "{number}")),
            None => text.push('-'),
        }
    };
    add(lock.leases.map(u64::from));
    add(Some(lock.fence));
    add(Some(lock.ranks));
    add(lock.mean_hold);
    add(lock.reassert_until);
    lock.passers.iter().for_each(|passer| add(Some(*passer)));
    text
}

/// Reads what [`encode`] wrote; `None` where it is something else.
fn decode(text: &str) -> Option<Lock> {
    let mut numbers = text.split(' ').map(|number| match number {
        "-" => Some(None),
        number => number.parse::<u64>().ok().map(Some),
    });
    let mut next = || numbers.next()?;
    Some(Lock {
        leases: next()?.map(u32::try_from).transpose().ok()?,
        fence: next()??,
        ranks: next()??,
        mean_hold: next()?,
        reassert_until: next()?,
        passers: numbers.map(Option::flatten).collect::<Option<_>>()?,
        ..Lock::default()
    })
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
    statement.execute(params![key, lock.resized, signed(now), encode(lock), holders::encode(&lock.holders)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::{option, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn numbers_survive_being_kept(
            leases in option::of(any::<u32>()), fence: u64, ranks: u64, mean_hold in option::of(any::<u64>()),
            reassert_until in option::of(any::<u64>()), passers in proptest::collection::vec(any::<u64>(), 0..3),
        ) {
            let lock = Lock { leases, fence, ranks, mean_hold, reassert_until, passers, ..Lock::default() };
            prop_assert_eq!(decode(&encode(&lock)), Some(lock));
        }
    }

    #[test]
    fn what_are_no_numbers_are_not_read_as_such() {
        for text in ["", "1", "1 2 3 4", "1 - 3 4 5", "1 2 3 4 5 -", "1 2 3 4 5 six", "5000000000 2 3 4 5"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
