//! One lock, for people and for machines.

use std::{fmt::Write as _, time::SystemTime};

use celeriac_mutex::{
    Owner,
    store::{Holder, LockState, Waiter},
};
use serde_json::{Value, json};

use crate::text::{self, Table, unknown};

/// How many leases it has, where anybody has said so.
pub(crate) fn leases(state: &LockState) -> Option<u32> {
    (state.leases > 0).then_some(state.leases)
}

/// `2/3`
pub(super) fn held(state: &LockState) -> String {
    format!("{}/{}", state.used, leases(state).map_or_else(unknown, |leases| leases.to_string()))
}

/// How long it lasts unless it is renewed.
pub(super) fn ttl_left(holder: &Holder) -> String {
    // Where the store sees processes die, a lease has no other end.
    holder.ttl_left.map_or_else(|| "process".into(), text::short)
}

/// How many of those who wait are shown to people.
const WAITERS: usize = 100;

/// Everything about it.
pub(super) fn document(state: &LockState) -> Value {
    let waiters = state.waiters.iter().zip(1..).map(|(waiter, position)| of_waiter(waiter, position));
    let mut document = summary(state);
    document["waiters"] = waiters.collect();
    document
}

/// What a list has of it: those who wait are counted, as there may be very many.
pub(super) fn summary(state: &LockState) -> Value {
    json!({
        "address": state.key.to_string(),
        "kind": state.key.kind().as_str(),
        "name": state.key.name(),
        "leases": leases(state),
        "resized": state.resized,
        "held": state.used,
        "waiting": state.waiters.len(),
        "fence": state.fence.get(),
        "mean_hold_seconds": state.mean_hold.map(|hold| hold.as_secs_f64()),
        "holders": state.holders.iter().map(of_holder).collect::<Vec<_>>(),
    })
}

/// One holder, for machines.
pub(super) fn of_holder(holder: &Holder) -> Value {
    let Owner { task, id, worker, .. } = &holder.owner;
    json!({
        "lease": holder.lease.as_str(),
        "task": task,
        "id": id,
        "worker": worker,
        "weight": holder.weight,
        "since": text::instant(holder.since),
        "ttl_left_seconds": holder.ttl_left.map(|left| left.as_secs_f64()),
        "fence": holder.fence.get(),
        "revoked": holder.revoked,
    })
}

fn of_waiter(waiter: &Waiter, position: u64) -> Value {
    let Owner { task, id, worker, .. } = &waiter.owner;
    json!({
        "position": position,
        "lease": waiter.lease.as_str(),
        "task": task,
        "id": id,
        "worker": worker,
        "weight": waiter.weight,
        "since": text::instant(waiter.since),
        "parked_until": waiter.due.map(text::instant),
    })
}

pub(super) fn people(state: &LockState, now: SystemTime) -> String {
    let mut shown = format!("{}\n", text::one_line(&state.key.to_string()));
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(shown, "{name}: {value}");
    };
    let by = if state.resized { ", set by an operator" } else { "" };
    line("held", &format!("{} leases{by}", held(state).replace('/', " of ")));
    line("mean hold", &state.mean_hold.map_or_else(unknown, text::short));
    line("last fencing token", &state.fence.to_string());
    if !state.holders.is_empty() {
        let _ = writeln!(shown, "\n{}", holders(&state.holders, now).trim_end());
    }
    if !state.waiters.is_empty() {
        let _ = writeln!(shown, "\n{}", waiters(&state.waiters, now).trim_end());
    }
    if state.waiters.len() > WAITERS {
        let more = text::count((state.waiters.len() - WAITERS) as u64);
        let _ = writeln!(shown, "and {more} more; --json shows them all");
    }
    shown
}

fn holders(holders: &[Holder], now: SystemTime) -> String {
    let mut table =
        Table::new(&["HOLDER", "ID", "WORKER", "SINCE", "TTL LEFT", "WEIGHT", "FENCING TOKEN", "REVOKED", "LEASE"]);
    for holder in holders {
        table.row([
            holder.owner.task.clone().unwrap_or_else(unknown),
            holder.owner.id.clone().unwrap_or_else(unknown),
            holder.owner.worker.clone(),
            text::age(holder.since, now),
            ttl_left(holder),
            holder.weight.to_string(),
            holder.fence.to_string(),
            if holder.revoked { "yes" } else { "no" }.into(),
            holder.lease.to_string(),
        ]);
    }
    table.render()
}

fn waiters(waiters: &[Waiter], now: SystemTime) -> String {
    let mut table = Table::new(&["POSITION", "WAITING", "ID", "WORKER", "SINCE", "WEIGHT", "BACK IN"]);
    for (waiter, position) in waiters.iter().zip(1_u64..).take(WAITERS) {
        table.row([
            position.to_string(),
            waiter.owner.task.clone().unwrap_or_else(unknown),
            waiter.owner.id.clone().unwrap_or_else(unknown),
            waiter.owner.worker.clone(),
            text::age(waiter.since, now),
            waiter.weight.to_string(),
            waiter.due.map_or_else(unknown, |due| back_in(due, now)),
        ]);
    }
    table.render()
}

fn back_in(due: SystemTime, now: SystemTime) -> String {
    due.duration_since(now).map_or_else(|_| "now".into(), text::short)
}
