use std::borrow::Cow;

use celeriac_broker::{Busy, LockKind, LockSpec};
use celeriac_mutex::{Error, Kind, LockKey, Rate};

/// A lock that a run needs.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) key: LockKey,
    /// The key as text.
    pub(crate) address: String,
    pub(crate) spec: LockSpec,
    /// By what a handler finds it.
    pub(crate) labels: Vec<Cow<'static, str>>,
}

/// What a run needs, in the one order in which every run of every task takes it: so no two can wait for each other. Rate limits
/// come last: what they let pass is paid for.
///
/// Two locks of one address are one, with the larger weight: a run would otherwise wait for itself.
pub(crate) fn in_order(specs: Vec<LockSpec>) -> Vec<Wanted> {
    let mut wanted: Vec<Wanted> = specs.into_iter().filter(|spec| spec.weight > 0).filter_map(Wanted::new).collect();
    wanted.sort_by(|one, other| (one.rank(), &one.address).cmp(&(other.rank(), &other.address)));
    wanted.dedup_by(|later, first| {
        let same = later.address == first.address;
        if same {
            first.labels.append(&mut later.labels);
            first.spec.weight = first.spec.weight.max(later.spec.weight);
            first.spec.ttl = first.spec.ttl.max(later.spec.ttl);
        }
        same
    });
    wanted
}

impl Wanted {
    /// `None` for a kind that a later version may have.
    fn new(spec: LockSpec) -> Option<Self> {
        let kind = match spec.kind {
            LockKind::Mutex => Kind::Mutex,
            LockKind::Semaphore => Kind::Semaphore,
            LockKind::Rate => Kind::Rate,
            _ => return None,
        };
        let key = LockKey::new(kind, &spec.name).parts(&spec.key);
        Some(Self { address: key.to_string(), key, labels: vec![spec.label.clone()], spec })
    }

    fn rank(&self) -> bool {
        self.is_rate()
    }

    pub(crate) fn is_rate(&self) -> bool {
        self.spec.kind == LockKind::Rate
    }

    pub(crate) fn busy(&self) -> Busy {
        self.spec.busy
    }

    /// What a rate allows.
    pub(crate) fn rate(&self) -> Result<Rate, Error> {
        let pace = self.spec.pace.ok_or_else(|| Error::Invalid(format!("{} says no pace", self.address)))?;
        Ok(Rate::new(pace.count, pace.period)?.burst(pace.burst))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use celeriac_broker::Pace;

    use super::*;

    fn key(part: &str) -> [String; 1] {
        [part.to_owned()]
    }

    #[test]
    fn whatever_the_order_it_is_said_in_there_is_one_order_to_take_them_and_rates_are_last() {
        let specs = vec![
            LockSpec::rate("a", key("x"), Pace::new(1, Duration::from_secs(1))),
            LockSpec::semaphore("b", key("x"), 3),
            LockSpec::mutex("z", key("x")),
            LockSpec::mutex("c", key("x")),
        ];
        let addresses = |specs| in_order(specs).into_iter().map(|wanted| wanted.address).collect::<Vec<_>>();
        let expected = ["mutex:c:x", "mutex:z:x", "semaphore:b:x", "rate:a:x"];
        assert_eq!(addresses(specs.clone()), expected);
        assert_eq!(addresses(specs.into_iter().rev().collect()), expected);
    }

    #[test]
    fn two_locks_of_one_address_are_one_with_the_larger_weight_and_both_labels() {
        let wanted = in_order(vec![
            LockSpec::semaphore("b", key("x"), 3).label("from"),
            LockSpec::semaphore("b", key("x"), 3).weight(2).label("to"),
        ]);
        assert_eq!(wanted.len(), 1);
        assert_eq!((wanted[0].spec.weight, wanted[0].labels.as_slice()), (2, &["from".into(), "to".into()][..]));
    }

    #[test]
    fn a_weight_of_nothing_takes_nothing() {
        assert!(in_order(vec![LockSpec::semaphore("b", key("x"), 3).weight(0)]).is_empty());
    }
}
