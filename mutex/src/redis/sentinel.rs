//! Redis behind Sentinel: `redis+sentinel://user:password@host:26379,host:26379/master?db=0`.

use std::fmt;

use deadpool_redis::{
    RedisConnectionInfo,
    redis::{Client, RedisError, sentinel::SentinelClient},
    sentinel::{Manager, Pool, SentinelNodeConnectionInfo, SentinelServerType, TlsMode},
};
use url::Url;

use super::failure::Failure;
use crate::Error;

/// Where the sentinels are, and which server they are asked for.
pub(super) struct Address {
    /// `redis` or `rediss`.
    scheme: &'static str,
    sentinels: Vec<String>,
    master: String,
    /// Of the server, whose user and password these are; the sentinels have theirs in the query.
    server: RedisConnectionInfo,
    /// `user:password@` of the sentinels.
    credentials: String,
}

impl Address {
    /// Reads an address; nothing where it is that of a server.
    pub(super) fn parse(address: &str) -> Result<Option<Self>, Error> {
        let Some((scheme, rest)) = address.split_once("+sentinel://") else { return Ok(None) };
        let scheme = match scheme {
            "redis" => "redis",
            "rediss" => "rediss",
            _ => return Ok(None),
        };
        // A URL has one host, so the list of them is taken out first.
        let (credentials, rest) = rest.rsplit_once('@').map_or(("", rest), |(credentials, rest)| (credentials, rest));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let sentinels: Vec<_> = hosts.split(',').filter(|host| !host.is_empty()).map(with_port).collect();
        let url =
            Url::parse(&format!("redis://{credentials}{}host/{path}", if credentials.is_empty() { "" } else { "@" }))
                .map_err(|_| invalid())?;
        let master = url.path().trim_matches('/').to_owned();
        if sentinels.is_empty() || master.is_empty() || master.contains('/') {
            return Err(invalid());
        }
        let mut server = RedisConnectionInfo { username: text(url.username())?, ..RedisConnectionInfo::default() };
        server.password = url.password().map(text).transpose()?.flatten();
        let (mut user, mut password) = (String::new(), String::new());
        for (name, value) in url.query_pairs() {
            match &*name {
                "db" => server.db = value.parse().map_err(|_| invalid())?,
                "sentinel_username" => user = value.into_owned(),
                "sentinel_password" => password = value.into_owned(),
                _ => return Err(invalid()),
            }
        }
        let mut own = Url::parse("redis://host").map_err(|_| invalid())?;
        own.set_username(&user).map_err(|()| invalid())?;
        own.set_password(Some(&*password).filter(|password| !password.is_empty())).map_err(|()| invalid())?;
        let credentials = own.as_str().trim_start_matches("redis://").split_once('@');
        let credentials = credentials.map_or_else(String::new, |(credentials, _)| format!("{credentials}@"));
        Ok(Some(Self { scheme, sentinels, master, server, credentials }))
    }

    /// A pool of connections to whatever server the sentinels name at the time.
    pub(super) fn pool(&self) -> Result<Pool, Error> {
        let (sentinels, node, master) = (self.urls(), self.node(), self.master.clone());
        // The error may show an address, and that a password.
        let manager = Manager::new(sentinels, master, Some(node), SentinelServerType::Master).map_err(|_| invalid())?;
        Pool::builder(manager).build().map_err(|_| invalid())
    }

    /// The server that the sentinels name now.
    pub(super) async fn server(&self) -> Result<Client, Failure> {
        let (sentinels, node, master) = (self.urls(), self.node().into(), self.master.clone());
        let mut client = SentinelClient::build(sentinels, master, Some(node), SentinelServerType::Master.into())
            .map_err(|_| Failure::Invalid(invalid().to_string()))?;
        client.async_get_client().await.map_err(|error: RedisError| Failure::from(error))
    }

    fn urls(&self) -> Vec<String> {
        self.sentinels.iter().map(|host| format!("{}://{}{host}", self.scheme, self.credentials)).collect()
    }

    fn node(&self) -> SentinelNodeConnectionInfo {
        SentinelNodeConnectionInfo {
            tls_mode: (self.scheme == "rediss").then_some(TlsMode::Secure),
            redis_connection_info: Some(self.server.clone()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (of the sentinels {})", self.master, self.sentinels.join(", "))
    }
}

/// Without user and password.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

fn with_port(host: &str) -> String {
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { host.to_owned() } else { format!("{host}:26379") }
}

/// What is percent-encoded in a URL; nothing where it is empty.
fn text(encoded: &str) -> Result<Option<String>, Error> {
    let pair = format!("x={}", encoded.replace('+', "%2B").replace('&', "%26"));
    let decoded = url::form_urlencoded::parse(pair.as_bytes()).next().ok_or_else(invalid)?.1.into_owned();
    Ok(Some(decoded).filter(|text| !text.is_empty()))
}

fn invalid() -> Error {
    Error::Invalid(
        "the address of the sentinels cannot be used; one looks like \
         redis+sentinel://user:password@host:26379,host:26379/master?db=0&sentinel_password=secret"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_sentinels_and_their_master() {
        let address =
            Address::parse("redis+sentinel://me:p%40ss@a:1,b/primary?db=3&sentinel_password=s/x").unwrap().unwrap();
        assert_eq!(address.sentinels, ["a:1", "b:26379"]);
        assert_eq!((&*address.master, address.server.db), ("primary", 3));
        assert_eq!(
            (address.server.username.as_deref(), address.server.password.as_deref()),
            (Some("me"), Some("p@ss"))
        );
        assert_eq!(address.credentials, ":s%2Fx@");
        for shown in [address.to_string(), format!("{address:?}")] {
            assert_eq!(shown, "primary (of the sentinels a:1, b:26379)");
        }
        address.pool().unwrap();
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_it() {
        for address in ["redis+sentinel://:hunter2@a:1", "redis+sentinel:///m", "redis+sentinel://a/m?what=hunter2"] {
            let error = Address::parse(address).unwrap_err().to_string();
            assert!(error.contains("one looks like") && !error.contains("hunter2"), "{error}");
        }
        assert!(Address::parse("redis://a/0").unwrap().is_none());
    }
}
