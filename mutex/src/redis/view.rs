//! What operators see: lists, single locks and findings.

use std::collections::HashSet;

use deadpool_redis::redis::{Value, cmd};

use super::{
    arguments::{CHUNK, Keys},
    call::{Call, Caller},
    facts::Info,
    failure::Failure,
    reply,
    script::Script,
};
use crate::{
    FencingToken, LockKey,
    store::{Finding, Holder, LockState, LockSummary, Severity, Waiter},
};

/// How many of those who wait are fetched at once.
const PAGE: u32 = 500;

/// The locks that exist now: found by SCAN, which stalls nobody, as a script's own search would.
pub(super) async fn list(caller: &Caller<'_>, keys: &Keys<'_>, limit: usize) -> Result<Vec<LockSummary>, Failure> {
    let prefix = format!("{}:{{", keys.namespace);
    let mut cursor = "0".to_owned();
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    loop {
        let mut scan = cmd("SCAN");
        scan.arg(&cursor).arg("MATCH").arg(format!("{prefix}*}}")).arg("COUNT").arg(1000).arg("TYPE").arg("string");
        let values = caller.send(&[], &[scan]).await?;
        let Some([next, names]) = values.first().map(reply::list).transpose()? else {
            return Err(Failure::strange("a scan of another shape"));
        };
        cursor = reply::text(next)?;
        let mut locks = Vec::new();
        for name in reply::list(names)? {
            let name = reply::text(name)?;
            let address = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix('}'));
            // A rate limit is no lock; and a server may name a key twice.
            let key = address.and_then(|address| address.parse::<LockKey>().ok());
            locks.extend(key.filter(|key| key.kind() != crate::Kind::Rate && seen.insert(key.clone())));
        }
        for locks in locks.chunks(CHUNK) {
            found.extend(summaries(caller, keys, locks).await?);
        }
        if found.len() >= limit || cursor == "0" {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

async fn summaries(caller: &Caller<'_>, keys: &Keys<'_>, locks: &[LockKey]) -> Result<Vec<LockSummary>, Failure> {
    let keys = locks.iter().flat_map(|key| keys.four(key)).collect();
    let value = caller.call(Call { script: Script::Summary, keys, arguments: vec![] }).await?;
    let mut found = Vec::new();
    for (key, value) in locks.iter().zip(reply::list(&value)?) {
        if let Value::Array(fields) = value
            && let [leases, used, waiting] = &**fields
        {
            found.push(LockSummary {
                key: key.clone(),
                leases: reply::small(leases)?,
                used: reply::small(used)?,
                waiting: reply::unsigned(waiting)?,
            });
        }
    }
    Ok(found)
}

/// One lock, whole: page by page, so that ten thousand who wait stall nobody.
pub(super) async fn inspect(caller: &Caller<'_>, keys: &Keys<'_>, key: &LockKey) -> Result<Option<LockState>, Failure> {
    let mut waiters: Vec<(u64, Waiter)> = Vec::new();
    let mut from = 0;
    loop {
        let arguments = vec![from.into(), PAGE.into()];
        let value = caller.call(Call { script: Script::Inspect, keys: keys.four(key).into(), arguments }).await?;
        if matches!(value, Value::Nil) {
            return Ok(None);
        }
        let [leases, resized, used, fence, mean_hold, holders, page, fetched] = reply::list(&value)? else {
            return Err(Failure::strange("a lock of another shape"));
        };
        for waiter in reply::list(page)? {
            waiters.extend(read_waiter(waiter)?);
        }
        let fetched = reply::small(fetched)?;
        from += fetched;
        if fetched == PAGE {
            continue;
        }
        waiters.sort_by_key(|(rank, _)| *rank);
        return Ok(Some(LockState {
            key: key.clone(),
            leases: reply::small(leases)?,
            resized: reply::int(resized)? == 1,
            used: reply::small(used)?,
            fence: FencingToken::new(reply::unsigned(fence)?),
            mean_hold: Some(mean_hold).filter(|hold| **hold != Value::Int(-1)).map(reply::duration).transpose()?,
            holders: reply::list(holders)?.iter().map(read_holder).collect::<Result<_, _>>()?,
            waiters: waiters.into_iter().map(|(_, waiter)| waiter).collect(),
        }));
    }
}

fn read_holder(value: &Value) -> Result<Holder, Failure> {
    let [lease, owner, weight, since, left, fence, revoked] = reply::list(value)? else {
        return Err(Failure::strange("a holder of another shape"));
    };
    Ok(Holder {
        lease: reply::lease(lease)?,
        owner: reply::owner(owner)?,
        weight: reply::small(weight)?,
        since: reply::instant(since)?,
        ttl_left: Some(reply::remaining(left)?),
        fence: FencingToken::new(reply::unsigned(fence)?),
        revoked: reply::int(revoked)? == 1,
    })
}

/// Nothing where its time is over.
fn read_waiter(value: &Value) -> Result<Option<(u64, Waiter)>, Failure> {
    let [rank, lease, owner, weight, since, due, left] = reply::list(value)? else {
        return Err(Failure::strange("a waiter of another shape"));
    };
    if reply::int(left)? <= 0 {
        return Ok(None);
    }
    let waiter = Waiter {
        lease: reply::lease(lease)?,
        owner: reply::owner(owner)?,
        weight: reply::small(weight)?,
        since: reply::instant(since)?,
        due: Some(due).filter(|due| **due != Value::Int(-1)).map(reply::instant).transpose()?,
    };
    Ok(Some((reply::unsigned(rank)?, waiter)))
}

/// What an operator should know about the server.
pub(super) async fn diagnose(caller: &Caller<'_>) -> Result<Vec<Finding>, Failure> {
    let before = std::time::SystemTime::now();
    let values = caller.send(&[], &[cmd("INFO"), cmd("TIME")]).await?;
    let after = std::time::SystemTime::now();
    let [info, time] = &*values else { return Err(Failure::strange("an answer of another length")) };
    let info = Info::read(info)?;
    let version = info.get("redis_version").unwrap_or("unknown");
    let mut findings = vec![Finding::new("version", Severity::Ok, format!("Redis {version}"))];
    findings.push(match info.get("maxmemory_policy") {
        Some("noeviction") => Finding::new("maxmemory-policy", Severity::Ok, "noeviction"),
        Some(policy) => Finding::new(
            "maxmemory-policy",
            Severity::Error,
            format!(
                "{policy} drops locks that are held when memory runs out; run `CONFIG SET maxmemory-policy noeviction`"
            ),
        ),
        None => Finding::new("maxmemory-policy", Severity::Warning, "the server does not say; it has to be noeviction"),
    });
    findings.push(if info.get("aof_enabled") == Some("1") {
        Finding::new("persistence", Severity::Ok, "an append-only file: a restart forgets no lock")
    } else {
        Finding::new(
            "persistence",
            Severity::Warning,
            "no append-only file: after a restart mutexes are kept back for as long as their \
             holders may live; run `CONFIG SET appendonly yes`",
        )
    });
    let server = std::time::UNIX_EPOCH + std::time::Duration::from_micros(reply::time(time)?);
    let off = if server < before { before.duration_since(server) } else { server.duration_since(after) };
    let off = off.unwrap_or_default();
    let severity = if off < std::time::Duration::from_secs(1) { Severity::Ok } else { Severity::Warning };
    findings.push(Finding::new(
        "clock",
        severity,
        format!("the server's clock is {} ms off this machine's; leases go by the server's alone", off.as_millis()),
    ));
    Ok(findings)
}
