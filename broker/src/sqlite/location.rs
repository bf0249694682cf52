use std::time::Duration;

use celeriac_sqlite::{DatabasePath, Synchronous};

use crate::{BrokerUrl, Error};

/// What a `sqlite://` URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) path: DatabasePath,
    pub(super) synchronous: Synchronous,
    /// How long the claims of a process that no longer renews them are respected.
    pub(super) claim_lease: Duration,
    /// The largest that publishing may make the file, in bytes.
    pub(super) max_size: Option<u64>,
}

impl Location {
    pub(super) const DEFAULT_CLAIM_LEASE: Duration = Duration::from_secs(30);
    const CLAIM_LEASES: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(86_400);

    pub(super) fn parse(address: &BrokerUrl) -> Result<Self, Error> {
        let url = address.url();
        let path =
            DatabasePath::from_url(url).map_err(|fault| Error::Config { setting: "broker_url".into(), fault })?;
        let mut location =
            Self { path, synchronous: Synchronous::Full, claim_lease: Self::DEFAULT_CLAIM_LEASE, max_size: None };
        for (name, value) in url.query_pairs() {
            location.set(&name, &value)?;
        }
        Ok(location)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let fault =
            |fault: &str| Err(Error::Config { setting: format!("broker_url: {name}={value}"), fault: fault.into() });
        match name {
            "synchronous" => match value.to_ascii_lowercase().as_str() {
                "full" => self.synchronous = Synchronous::Full,
                "normal" => self.synchronous = Synchronous::Normal,
                _ => return fault("it is full (the default) or normal"),
            },
            "claim_lease" => match duration(value).filter(|lease| Self::CLAIM_LEASES.contains(lease)) {
                Some(lease) => self.claim_lease = lease,
                None => return fault("it is a duration from 100ms to 24h, such as 500ms, 30s (the default) or 5m"),
            },
            "max_size" => match size(value) {
                Some(bytes) => self.max_size = Some(bytes),
                None => return fault("it is a size of at least 1MiB, such as 512MiB or 10GiB"),
            },
            _ => return fault("the options of a file are synchronous, claim_lease and max_size"),
        }
        Ok(())
    }
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit.trim()))
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = number_and_unit(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(milliseconds)?))
}

fn size(text: &str) -> Option<u64> {
    let (number, unit) = number_and_unit(text)?;
    let bytes = match unit {
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(bytes).filter(|size| *size > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Location, Error> {
        Location::parse(&BrokerUrl::parse(url).unwrap())
    }

    #[test]
    fn options_are_read() {
        let location = parse("sqlite://a.db?synchronous=normal&claim_lease=500ms&max_size=2MiB").unwrap();
        assert_eq!(location.synchronous, Synchronous::Normal);
        assert_eq!(location.claim_lease, Duration::from_millis(500));
        assert_eq!(location.max_size, Some(2 * 1024 * 1024));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for url in [
            "sqlite://",
            "sqlite:///",
            "sqlite://folder/",
            "sqlite://user@file.db",
            "sqlite://a.db#b",
            "sqlite://a.db?synchronous=off",
            "sqlite://a.db?claim_lease=0s",
            "sqlite://a.db?claim_lease=30",
            "sqlite://a.db?claim_lease=99999999999999999999s",
            "sqlite://a.db?max_size=0MiB",
            "sqlite://a.db?timeout=5s",
            "sqlite:///a%2.db",
        ] {
            assert!(matches!(parse(url), Err(Error::Config { .. })), "{url}");
        }
    }
}
