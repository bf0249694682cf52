//! How questions are written as calls of scripts.

use super::{
    call::{Argument, Call},
    hints,
    script::Script,
    source::Source,
};
use crate::{
    LockKey,
    rules::micros,
    store::{Ask, LeaseId, Queueing, Renewal, Spend},
};

/// How many renewals go into one call of a script, so that it stalls the server for no more than two milliseconds.
pub(super) const CHUNK: usize = 128;

/// How keys are named.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    pub(super) namespace: &'a str,
    pub(super) source: &'a Source,
}

impl Keys<'_> {
    /// The one key, all of whose kin share its slot.
    pub(super) fn one(&self, key: &LockKey) -> String {
        format!("{}:{{{key}}}", self.namespace)
    }

    /// State, entries, ranks and deadlines.
    pub(super) fn four(&self, key: &LockKey) -> [String; 4] {
        let state = self.one(key);
        let [entries, ranks, deadlines] = [":w", ":q", ":d"].map(|end| format!("{state}{end}"));
        [state, entries, ranks, deadlines]
    }

    pub(super) fn acquire<'a>(&self, ask: &'a Ask) -> Call<'a> {
        let mut arguments = vec![
            ask.lease.as_str().into(),
            hints::inbox(self.source, &ask.process).into(),
            ask.owner.encode().into(),
            micros(ask.ttl).into(),
            ask.leases.into(),
            ask.weight.into(),
            match (ask.queueing, ask.fair) {
                (Queueing::No, true) => "n",
                (Queueing::Wait, true) => "w",
                (Queueing::Park { .. }, true) => "p",
                (Queueing::No, false) => "N",
                (Queueing::Wait, false) => "W",
                (Queueing::Park { .. }, false) => "P",
            }
            .into(),
            Argument::Grace,
        ];
        let jitter = match ask.queueing {
            Queueing::Park { jitter } => Some(jitter.clamp(0.0, 1.0)),
            Queueing::No | Queueing::Wait => None,
        };
        if jitter.is_some() || ask.place.is_some() {
            arguments.push(ask.place.as_ref().map_or("", LeaseId::as_str).into());
            arguments.extend(jitter.map(|jitter| jitter.to_string().into()));
        }
        Call { script: Script::Acquire, keys: self.four(&ask.key).into(), arguments }
    }

    /// A call whose arguments are a lease and the grace.
    pub(super) fn of_lease<'a>(&self, script: Script, key: &LockKey, lease: &'a LeaseId) -> Call<'a> {
        Call { script, keys: self.four(key).into(), arguments: vec![lease.as_str().into(), Argument::Grace] }
    }

    /// Calls for all of a batch, and the entries of each in the order of its answers: those of one lock side by side.
    pub(super) fn renew<'a>(&self, batch: &'a [Renewal]) -> Vec<(Vec<usize>, Call<'a>)> {
        let mut order: Vec<_> = (0..batch.len()).collect();
        order.sort_by(|a, b| batch[*a].ask.key.cmp(&batch[*b].ask.key));
        order.chunks(CHUNK).map(|entries| (entries.to_vec(), self.renew_some(batch, entries))).collect()
    }

    fn renew_some<'a>(&self, batch: &'a [Renewal], entries: &[usize]) -> Call<'a> {
        let mut keys = Vec::with_capacity(entries.len() * 4);
        let mut arguments = vec![Argument::Grace];
        for Renewal { ask, fence, reassert } in entries.iter().map(|entry| &batch[*entry]) {
            keys.extend(self.four(&ask.key));
            arguments.extend::<[Argument<'a>; 8]>([
                ask.lease.as_str().into(),
                hints::inbox(self.source, &ask.process).into(),
                ask.owner.encode().into(),
                micros(ask.ttl).into(),
                ask.leases.into(),
                ask.weight.into(),
                fence.map_or(Argument::Text(""), |fence| fence.get().into()),
                if *reassert { "1" } else { "0" }.into(),
            ]);
        }
        Call { script: Script::Renew, keys, arguments }
    }

    pub(super) fn spend(&self, spend: &Spend) -> Call<'static> {
        let interval = spend.rate.interval();
        let arguments = vec![
            micros(interval).saturating_mul(spend.cost.into()).into(),
            micros(interval).saturating_mul(spend.rate.burst_size().max(spend.cost).into()).into(),
            micros(spend.horizon).into(),
        ];
        Call { script: Script::Spend, keys: vec![self.one(&spend.key)], arguments }
    }

    pub(super) fn resize(&self, key: &LockKey, leases: Option<u32>) -> Call<'static> {
        let leases = leases.map_or(Argument::Text(""), Argument::from);
        Call { script: Script::Resize, keys: self.four(key).into(), arguments: vec![leases, Argument::Grace] }
    }
}
