//! A broker's URL, as the AMQP client takes it.

use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};

use crate::{BrokerUrl, Error};

/// Seconds between signs of life where the URL does not say otherwise; a dead peer is noticed after about two of them.
const HEARTBEAT_SECS: u16 = 30;

/// One address of a broker.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) uri: AMQPUri,
    /// Without its password.
    pub(super) shown: String,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Address {
    /// Reads `amqp[s]://user:password@host:port/vhost?heartbeat=30`.
    ///
    /// No path and an empty path both mean the virtual host `/`, as everywhere but in the letter of the URI specification.
    pub(super) fn new(broker: &BrokerUrl) -> Result<Self, Error> {
        let fault = |fault: String| Error::Config { setting: "broker_url".into(), fault };
        let url = broker.url();
        let scheme = match url.scheme() {
            "amqps" if cfg!(not(feature = "tls")) => {
                return Err(fault("amqps:// needs the feature `tls`; this program was built without it".into()));
            }
            "amqps" => AMQPScheme::AMQPS,
            _ => AMQPScheme::AMQP,
        };
        let decoded =
            |text: &str| percent_decoded(text).ok_or_else(|| fault("a percent-encoded part is not UTF-8".to_owned()));
        let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("localhost");
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let username = if url.username().is_empty() { "guest".to_owned() } else { decoded(url.username())? };
        let password = url.password().map_or_else(|| Ok("guest".to_owned()), decoded)?;
        let vhost = match url.path().strip_prefix('/').unwrap_or("") {
            "" => "/".to_owned(),
            path => decoded(path)?,
        };
        let heartbeat = match url.query_pairs().find(|(name, _)| name == "heartbeat") {
            None => HEARTBEAT_SECS,
            Some((_, seconds)) => {
                seconds.parse().map_err(|_| fault(format!("heartbeat={seconds} is not a number of seconds")))?
            }
        };
        let uri = AMQPUri {
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo { username, password },
                port: url.port().unwrap_or(if scheme == AMQPScheme::AMQPS { 5671 } else { 5672 }),
                host,
            },
            scheme,
            vhost,
            query: AMQPQueryString { heartbeat: Some(heartbeat), ..AMQPQueryString::default() },
        };
        Ok(Self { uri, shown: broker.to_string() })
    }
}

pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let escaped =
            bytes.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        if let (b'%', Some(byte)) = (byte, escaped) {
            decoded.push(byte);
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address::new(&BrokerUrl::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn every_way_to_write_the_default_virtual_host_means_it() {
        for url in ["amqp://h", "amqp://h/", "amqp://h//", "amqp://h/%2f"] {
            assert_eq!(address(url).uri.vhost, "/", "{url}");
        }
        assert_eq!(address("amqp://h/team%20a").uri.vhost, "team a");
    }

    #[test]
    fn credentials_are_decoded_and_the_password_is_not_shown() {
        let address = address("amqp://user:p%40ss%2Fword@[::1]:5673/v?heartbeat=5");
        assert_eq!(address.uri.authority.userinfo.password, "p@ss/word");
        assert_eq!((address.uri.authority.host.as_str(), address.uri.authority.port), ("::1", 5673));
        assert_eq!(address.uri.query.heartbeat, Some(5));
        assert!(!format!("{address:?} {}", address.shown).contains("word"));
    }

    #[cfg(not(feature = "tls"))]
    #[test]
    fn tls_without_its_feature_is_refused_by_name() {
        let error = Address::new(&BrokerUrl::parse("amqps://h").unwrap()).unwrap_err();
        assert!(error.to_string().contains("feature `tls`"), "{error}");
    }
}
