//! Who holds a lock, as one text in the lock's row: a line for each.

use std::borrow::Cow;

use crate::{
    Owner,
    rules::Held,
    store::{LeaseId, ProcessId},
};

/// `None` where there is nobody.
pub(super) fn encode(holders: &[Held]) -> Option<String> {
    let line = |held: &Held| {
        let Held { lease, process, weight, since, fence, revoked, owner, ends: _ } = held;
        let (lease, process) = (escaped(lease.as_str()), escaped(process.as_str()));
        let owner = owner.encode().replace('\n', " ");
        format!("{weight}\t{since}\t{fence}\t{}\t{lease}\t{process}\t{owner}", u8::from(*revoked))
    };
    (!holders.is_empty()).then(|| holders.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// Reads what [`encode`] wrote; `None` where it is something else.
pub(super) fn decode(text: &str) -> Option<Vec<Held>> {
    text.split('\n').map(line).collect()
}

fn line(line: &str) -> Option<Held> {
    let mut fields = line.splitn(7, '\t');
    Some(Held {
        weight: fields.next()?.parse().ok()?,
        since: fields.next()?.parse().ok()?,
        fence: fields.next()?.parse().ok()?,
        revoked: fields.next()? == "1",
        lease: LeaseId::from(unescaped(fields.next()?).as_ref()),
        process: ProcessId::from(unescaped(fields.next()?).as_ref()),
        owner: Owner::decode(fields.next()?),
        // They end with their process.
        ends: None,
    })
}

/// Without tabs and ends of lines.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    if text.contains(['\\', '\t', '\n']) {
        text.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").into()
    } else {
        text.into()
    }
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let (mut out, mut rest) = (String::with_capacity(text.len()), text.chars());
    while let Some(character) = rest.next() {
        match (character, character == '\\') {
            (_, true) => match rest.next() {
                Some('t') => out.push('\t'),
                Some('n') => out.push('\n'),
                other => out.extend(other),
            },
            (other, false) => out.push(other),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn holders_survive_being_kept(texts in proptest::collection::vec(("[a\\\\\t\nn]{0,5}", ".{0,8}", "[^\t\n]{0,5}"), 1..4)) {
            let holders: Vec<Held> = texts.iter().enumerate().map(|(n, (lease, process, worker))| Held {
                lease: lease.as_str().into(),
                process: process.as_str().into(),
                weight: 3,
                ends: None,
                since: 5 + n as u64,
                fence: u64::MAX >> 11,
                revoked: n == 1,
                owner: Owner::worker(worker).task("t", "1"),
            }).collect();
            prop_assert_eq!(decode(&encode(&holders).unwrap()).unwrap(), holders);
        }
    }

    #[test]
    fn what_is_no_list_of_holders_is_not_read_as_one() {
        assert_eq!(encode(&[]), None);
        for text in ["", "1", "x\t1\t1\t0\ta\tb\tc"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
