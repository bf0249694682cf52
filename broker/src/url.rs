use std::fmt;

use url::Url;

use crate::error::Error;

/// A broker's address. Its password never shows in `Debug` or `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl(Url);

impl BrokerUrl {
    /// Reads a URL: `sqlite://path`, `amqp://..`, `amqps://..` or `memory://`.
    ///
    /// # Errors
    /// [`Error::Config`]; the text that was given is not repeated, it may hold a password.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Url::parse(text).map(Self).map_err(|fault| Error::Config {
            setting: "broker_url".into(),
            fault: format!("{fault}; write it as sqlite://celeriac.db or amqp://user:password@host:5672/vhost"),
        })
    }

    /// The scheme, in lower case.
    pub fn scheme(&self) -> &str {
        self.0.scheme()
    }

    /// The whole URL, password included.
    pub fn reveal(&self) -> &str {
        self.0.as_str()
    }

    /// The parsed URL.
    #[cfg_attr(not(any(feature = "amqp", feature = "sqlite")), expect(dead_code, reason = "used by transports"))]
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        if shown.password().is_some() {
            // Fails only for URLs that can't have a password.
            let _ = shown.set_password(Some("***"));
        }
        fmt::Display::fmt(&shown, f)
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
