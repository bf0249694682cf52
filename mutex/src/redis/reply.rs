//! Reading what the server and the scripts answer.

use std::time::{Duration, SystemTime};

use deadpool_redis::redis::Value;

use super::failure::Failure;
use crate::{
    FencingToken, Owner,
    rules::Micros,
    store::{Answer, Ask, Granted, Handed, LeaseId, Release, Renewal, Renewed, Spent},
};

pub(super) fn text(value: &Value) -> Result<String, Failure> {
    match value {
        Value::BulkString(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(text.clone()),
        other => Err(refused_or_strange(other)),
    }
}

pub(super) fn int(value: &Value) -> Result<i64, Failure> {
    match value {
        Value::Int(number) => Ok(*number),
        Value::BulkString(bytes) => std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Failure::strange("not a number")),
        other => Err(refused_or_strange(other)),
    }
}

pub(super) fn list(value: &Value) -> Result<&[Value], Failure> {
    match value {
        Value::Array(values) => Ok(values),
        other => Err(refused_or_strange(other)),
    }
}

fn refused_or_strange(value: &Value) -> Failure {
    match value.clone().extract_error() {
        Err(error) => Failure::from(error),
        Ok(other) => Failure::strange(&format!("{other:?}").chars().take(100).collect::<String>()),
    }
}

pub(super) fn unsigned(value: &Value) -> Result<u64, Failure> {
    u64::try_from(int(value)?).map_err(|_| Failure::strange("a negative number"))
}

pub(super) fn small(value: &Value) -> Result<u32, Failure> {
    u32::try_from(int(value)?).map_err(|_| Failure::strange("a number out of bounds"))
}

pub(super) fn duration(value: &Value) -> Result<Duration, Failure> {
    unsigned(value).map(Duration::from_micros)
}

/// A duration that a clock which went back may have made negative.
pub(super) fn remaining(value: &Value) -> Result<Duration, Failure> {
    Ok(Duration::from_micros(u64::try_from(int(value)?).unwrap_or(0)))
}

pub(super) fn instant(value: &Value) -> Result<SystemTime, Failure> {
    Ok(SystemTime::UNIX_EPOCH + duration(value)?)
}

pub(super) fn lease(value: &Value) -> Result<LeaseId, Failure> {
    text(value).map(LeaseId::from)
}

pub(super) fn owner(value: &Value) -> Result<Owner, Failure> {
    Ok(Owner::decode(&text(value)?))
}

/// What `TIME` says.
pub(super) fn time(value: &Value) -> Result<Micros, Failure> {
    match list(value)? {
        [seconds, micros] => Ok(unsigned(seconds)? * 1_000_000 + unsigned(micros)?),
        _ => Err(Failure::strange("not a time")),
    }
}

fn granted(fence: &Value, leases: &Value, ttl: Duration) -> Result<Granted, Failure> {
    Ok(Granted { fence: FencingToken::new(unsigned(fence)?), ttl, leases: small(leases)? })
}

pub(super) fn answer(value: &Value, ask: &Ask) -> Result<Answer, Failure> {
    if let Value::Int(_) = value {
        return Ok(Answer::Granted(Granted {
            fence: FencingToken::new(unsigned(value)?),
            ttl: ask.ttl,
            leases: ask.leases,
        }));
    }
    let values = list(value)?;
    // Where nobody holds, the list ends before the owner.
    let holder = values.get(3).map(owner).transpose()?;
    match (values.first().map(int).transpose()?, values.get(1), values.get(2)) {
        (Some(1), Some(fence), Some(leases)) => Ok(Answer::Granted(granted(fence, leases, ask.ttl)?)),
        (Some(0), Some(retry_in), Some(waiting)) => {
            Ok(Answer::Busy { holder, retry_in: duration(retry_in)?, waiting: unsigned(waiting)? })
        }
        (Some(2), Some(position), Some(look_in)) => {
            Ok(Answer::Queued { position: unsigned(position)?, look_in: duration(look_in)? })
        }
        (Some(3), Some(position), Some(delay)) => {
            Ok(Answer::Parked { position: unsigned(position)?, delay: duration(delay)?, holder })
        }
        (Some(4), Some(leases), None) => Err(Failure::Invalid(format!(
            "{} of the {} leases of {} cannot be taken",
            ask.weight,
            unsigned(leases)?,
            ask.key
        ))),
        _ => Err(Failure::strange("an answer of another shape")),
    }
}

/// Whether it was there; or a list, where that concerns waiters of the same process.
pub(super) fn release(value: &Value) -> Result<Release, Failure> {
    if let Value::Int(found) = value {
        return Ok(Release { found: *found == 1, ..Release::default() });
    }
    let [found, leases, handed, look] = list(value)? else {
        return Err(Failure::strange("a release of another shape"));
    };
    let handed = list(handed)?.chunks(3).map(|fields| match fields {
        [waiter, fence, ttl] => Ok(Handed { lease: lease(waiter)?, granted: granted(fence, leases, duration(ttl)?)? }),
        _ => Err(Failure::strange("a hand-off of another shape")),
    });
    Ok(Release {
        found: int(found)? == 1,
        handed: handed.collect::<Result<_, _>>()?,
        look: match list(look)? {
            [waiter, after] => Some((lease(waiter)?, duration(after)?)),
            _ => None,
        },
    })
}

pub(super) fn renewed(value: &Value, renewal: &Renewal) -> Result<Renewed, Failure> {
    let ttl = renewal.ask.ttl;
    match value {
        Value::Int(0) => Ok(Renewed::Lost),
        Value::Int(held) => Ok(Renewed::Held { ttl, revoked: *held == 2 }),
        _ => match list(value)? {
            [Value::Int(0), position, look_in] => {
                Ok(Renewed::Waiting { position: unsigned(position)?, look_in: duration(look_in)? })
            }
            [fence, leases] => Ok(Renewed::Granted(granted(fence, leases, ttl)?)),
            _ => Err(Failure::strange("a renewal of another shape")),
        },
    }
}

pub(super) fn spent(value: &Value) -> Result<Spent, Failure> {
    match list(value)? {
        [_] => Ok(Spent::Now),
        [Value::Int(2), wait] => Ok(Spent::Reserved(duration(wait)?)),
        [_, wait] => Ok(Spent::Refused(duration(wait)?)),
        _ => Err(Failure::strange("a spending of another shape")),
    }
}
