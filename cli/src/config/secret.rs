use std::fmt;

use celeriac_broker::BrokerUrl;

/// Addresses apart by commas that may hold passwords, which neither `Display` nor `Debug` shows.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretUrls(String);

impl SecretUrls {
    pub(crate) fn new(urls: impl Into<String>) -> Self {
        Self(urls.into())
    }

    /// As they were given.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, url) in self.0.split(',').enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            match BrokerUrl::parse(url.trim()) {
                Ok(url) => fmt::Display::fmt(&url, f)?,
                // What is no URL may be a password as a whole.
                Err(_) => f.write_str("***")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for SecretUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for SecretUrls {
    type Err = std::convert::Infallible;

    fn from_str(urls: &str) -> Result<Self, Self::Err> {
        Ok(Self::new(urls))
    }
}
