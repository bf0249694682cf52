//! All that the server has of a lock, as the rules have it.

use deadpool_redis::redis::Value;

use crate::{
    redis::reply,
    rules::{Held, Lock, Waiting},
    store::ProcessId,
};

/// Also fails where the keys of a lock disagree, or are not kept for as long as they should.
pub(super) const SCRIPT: &str = include_str!("dump.lua");

/// Reads what the script answers.
pub(super) fn read(value: &Value) -> (Lock, Vec<Waiting>) {
    let number = |value: &Value| reply::unsigned(value).ok();
    let list = |value: &Value| reply::list(value).unwrap().to_vec();
    let process = |value: &Value| {
        let text = reply::text(value).unwrap();
        ProcessId::from(&text[2..])
    };
    let fields = reply::list(value).unwrap();
    let holders = list(&fields[7]).into_iter().map(|held| list(&held)).map(|held| Held {
        lease: reply::lease(&held[0]).unwrap(),
        process: process(&held[1]),
        weight: reply::small(&held[2]).unwrap(),
        ends: number(&held[3]),
        since: number(&held[4]).unwrap(),
        fence: number(&held[5]).unwrap(),
        revoked: held[6] == Value::Int(1),
        owner: reply::owner(&held[7]).unwrap(),
    });
    let mut waiters: Vec<_> = list(&fields[8])
        .iter()
        .map(list)
        .map(|waiting| Waiting {
            rank: number(&waiting[0]).unwrap(),
            lease: reply::lease(&waiting[1]).unwrap(),
            process: process(&waiting[2]),
            weight: reply::small(&waiting[3]).unwrap(),
            ttl: reply::duration(&waiting[4]).unwrap(),
            since: number(&waiting[5]).unwrap(),
            until: number(&waiting[6]).unwrap(),
            due: number(&waiting[7]),
            owner: reply::owner(&waiting[8]).unwrap(),
        })
        .collect();
    waiters.sort_by_key(|waiting| waiting.rank);
    let passers = list(&fields[6]);
    let lock = Lock {
        leases: number(&fields[0]).map(|leases| u32::try_from(leases).unwrap()),
        resized: fields[1] == Value::Int(1),
        fence: number(&fields[2]).unwrap(),
        ranks: number(&fields[3]).unwrap(),
        mean_hold: number(&fields[4]),
        reassert_until: number(&fields[5]),
        holders: holders.collect(),
        passers: passers.iter().map(|rank| number(rank).unwrap()).collect(),
    };
    (lock, waiters)
}
