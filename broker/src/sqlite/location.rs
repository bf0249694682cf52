use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{BrokerUrl, Error};

/// What a `sqlite://` URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) path: PathBuf,
    pub(super) synchronous: Synchronous,
    /// How long the claims of a process that no longer renews them are respected.
    pub(super) claim_lease: Duration,
    /// The largest that publishing may make the file, in bytes.
    pub(super) max_size: Option<u64>,
}

/// What `Ok` means after a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Synchronous {
    /// What was committed last may be gone; the file stays whole.
    Normal,
    /// What was committed is there.
    Full,
}

impl Synchronous {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Full => "FULL",
        }
    }
}

impl Location {
    pub(super) const DEFAULT_CLAIM_LEASE: Duration = Duration::from_secs(30);
    const CLAIM_LEASES: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(86_400);

    pub(super) fn parse(address: &BrokerUrl) -> Result<Self, Error> {
        let url = address.url();
        let fault = |fault: String| Err(Error::Config { setting: "broker_url".into(), fault });
        if !url.username().is_empty() || url.password().is_some() || url.port().is_some() {
            return fault(
                "a file has no user, password or port; write sqlite://relative.db or sqlite:///absolute/path.db".into(),
            );
        }
        if url.fragment().is_some() {
            return fault("write a `#` in a file's name as %23".into());
        }
        let path = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
        if path.is_empty() || path.ends_with('/') {
            return fault("it names no file; write sqlite://relative.db or sqlite:///absolute/path.db".into());
        }
        let Some(path) = percent_decoded(&path) else {
            return fault(
                "a `%` in a file's name is followed by two hexadecimal digits; write the sign itself as %25".into(),
            );
        };
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

    /// A file beside the database.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    /// The folder that the file is in.
    pub(super) fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
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

fn percent_decoded(text: &str) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let (high, low) = (char::from(rest.next()?).to_digit(16)?, char::from(rest.next()?).to_digit(16)?);
            u8::try_from(high * 16 + low).ok()?
        } else {
            byte
        });
    }
    os_string(bytes).map(PathBuf::from)
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere a path is text, and this can fail")]
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    Some(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> Option<OsString> {
    String::from_utf8(bytes).ok().map(OsString::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Location, Error> {
        Location::parse(&BrokerUrl::parse(url).unwrap())
    }

    #[test]
    fn a_path_is_relative_or_absolute() {
        for (url, path) in [
            ("sqlite://celeriac.db", "celeriac.db"),
            ("sqlite://data/Celeriac.db", "data/Celeriac.db"),
            ("sqlite://../up.db", "../up.db"),
            ("sqlite:///var/lib/celeriac.db", "/var/lib/celeriac.db"),
            ("sqlite:plain.db", "plain.db"),
            ("sqlite:///a%20b%23c%25.db", "/a b#c%.db"),
        ] {
            assert_eq!(parse(url).unwrap().path, Path::new(path), "{url}");
        }
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
