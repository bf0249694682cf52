//! From text to a setting's value; each fault says what would be right.

use std::{str::FromStr, time::Duration};

use celeriac_broker::{Backoff, Jitter, QueueKind};

use crate::text::parse_duration;

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
}

pub(crate) fn positive(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("it must be above 0".into()),
        duration => Ok(duration),
    }
}

pub(crate) fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.replace('_', "").parse().map_err(|_| format!("{text:?} is no number that fits"))
}

pub(crate) fn at_least_one(text: &str) -> Result<u16, String> {
    match number(text)? {
        0 => Err("0 would run nothing; it is at least 1".into()),
        number => Ok(number),
    }
}

/// Where to listen: a host and a port.
pub(crate) fn address(text: &str) -> Result<String, String> {
    let port =
        text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).and_then(|(_, port)| port.parse::<u16>().ok());
    match port {
        Some(_) => Ok(text.to_owned()),
        None => Err(format!("{text:?} is no address to listen at; one looks like 127.0.0.1:9464")),
    }
}

/// How many leases a semaphore has.
pub(crate) fn leases(text: &str) -> Result<u32, String> {
    match number(text)? {
        0 => Err("0 would let nobody in; to stop the tasks, stop the pool that runs them".into()),
        number => Ok(number),
    }
}

/// Why something is done.
pub(crate) fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why, for whoever reads the log".into()),
        reason => Ok(reason.to_owned()),
    }
}

/// Names apart by commas.
pub(crate) fn names(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> =
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if names.is_empty() { Err("it names no queue".into()) } else { Ok(names) }
}

pub(crate) fn kind(text: &str) -> Result<QueueKind, String> {
    match text {
        "quorum" => Ok(QueueKind::Quorum),
        "classic" => Ok(QueueKind::Classic),
        other => Err(format!("{other:?} is no kind of queue; it is quorum or classic")),
    }
}

pub(crate) fn jitter(text: &str) -> Result<Jitter, String> {
    match text {
        "none" => Ok(Jitter::None),
        "equal" => Ok(Jitter::Equal),
        "full" => Ok(Jitter::Full),
        "decorrelated" => Ok(Jitter::Decorrelated),
        other => Err(format!("{other:?} is no jitter; it is none, equal, full or decorrelated")),
    }
}

/// `1s..5m`.
pub(crate) fn backoff(text: &str) -> Result<Backoff, String> {
    let (base, cap) =
        text.split_once("..").ok_or_else(|| format!("{text:?} is no backoff; write base and cap, such as 1s..5m"))?;
    Ok(Backoff::new(parse_duration(base)?, parse_duration(cap)?))
}

pub(crate) const fn kind_name(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::Classic => "classic",
        _ => "quorum",
    }
}

pub(crate) const fn jitter_name(jitter: Jitter) -> &'static str {
    match jitter {
        Jitter::None => "none",
        Jitter::Equal => "equal",
        Jitter::Decorrelated => "decorrelated",
        _ => "full",
    }
}
