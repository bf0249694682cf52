//! RabbitMQ's management API, for what AMQP can't tell.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{address::percent_decoded, errors::Fault, inspect::companion_of, majority::Halted};
use crate::{BrokerUrl, Error, QueueInfo, QueueName};

const TIMEOUT: Duration = Duration::from_secs(5);

/// Where the management API is.
#[derive(Clone)]
pub(super) struct Management {
    base: String,
    authorization: Option<String>,
    agent: ureq::Agent,
    /// Without its password.
    shown: String,
}

impl std::fmt::Debug for Management {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The roots of the system, as for `amqps://`.
#[cfg(feature = "tls")]
fn tls() -> ureq::tls::TlsConfig {
    use ureq::tls::{Certificate, RootCerts, TlsConfig};

    let roots = rustls_native_certs::load_native_certs().certs;
    let roots = roots.iter().map(|root| Certificate::from_der(root).to_owned());
    TlsConfig::builder().root_certs(RootCerts::from(roots)).build()
}

impl Management {
    /// Reads `http://user:password@host:15672`.
    pub(super) fn new(management: &BrokerUrl) -> Result<Self, Error> {
        let fault = |fault: &str| Error::Config { setting: "management_url".into(), fault: fault.into() };
        let url = management.url();
        match url.scheme() {
            "http" => {}
            "https" if cfg!(feature = "tls") => {}
            "https" => return Err(fault("https:// needs the feature `tls`; this program was built without it")),
            _ => return Err(fault("write it as http://user:password@host:15672")),
        }
        let host = url.host_str().ok_or_else(|| fault("it has no host"))?;
        let mut base = format!("{}://{host}", url.scheme());
        if let Some(port) = url.port() {
            // Writing to a string does not fail.
            let _ = write!(base, ":{port}");
        }
        base.push_str(url.path().trim_end_matches('/'));
        let decoded = |text| percent_decoded(text).ok_or_else(|| fault("a percent-encoded part is not UTF-8"));
        let authorization = match url.username() {
            "" => None,
            user => {
                let credentials = format!("{}:{}", decoded(user)?, decoded(url.password().unwrap_or(""))?);
                Some(format!("Basic {}", STANDARD.encode(credentials)))
            }
        };
        let agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).http_status_as_error(false);
        #[cfg(feature = "tls")]
        let agent = agent.tls_config(tls());
        let agent = agent.build().into();
        Ok(Self { base, authorization, agent, shown: management.to_string() })
    }

    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// The answer to a question; `None` where there is no such thing.
    async fn get(&self, path: String) -> Result<Option<Value>, Fault> {
        let management = self.clone();
        // The client blocks its thread, for at most the timeout.
        let asking = tokio::task::spawn_blocking(move || management.get_blocking(&path));
        asking.await.map_err(|_| Fault::timed_out("the management API"))?
    }

    fn get_blocking(&self, path: &str) -> Result<Option<Value>, Fault> {
        let mut answer = match self.call(path) {
            Ok(answer) if answer.status() == 404 => return Ok(None),
            answer => answer?,
        };
        let text = answer.body_mut().read_to_string().map_err(unreachable)?;
        let json = serde_json::from_str(&text).map_err(|_| Fault::Refused("it does not answer in JSON".into()))?;
        Ok(Some(json))
    }

    /// An answer, or that there is no such thing.
    fn call(&self, path: &str) -> Result<ureq::http::Response<ureq::Body>, Fault> {
        let mut request = self.agent.get(format!("{}{path}", self.base));
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let answer = request.call().map_err(unreachable)?;
        match answer.status().as_u16() {
            401 | 403 => Err(Fault::Refused("the management API takes no such user or password".into())),
            // 503 is how a health check says that something is not well.
            status if status >= 400 && ![404, 503].contains(&status) => {
                Err(Fault::Refused(format!("the management API answers with the status {status}")))
            }
            _ => Ok(answer),
        }
    }

    /// Every queue of a virtual host that people know of.
    pub(super) async fn queues(&self, vhost: &str) -> Result<Vec<QueueInfo>, Fault> {
        Ok(merged(self.definitions(vhost).await?.iter()))
    }

    /// The definitions of all queues.
    pub(super) async fn definitions(&self, vhost: &str) -> Result<Vec<Value>, Fault> {
        match self.get(format!("/api/queues/{}", encoded(vhost))).await? {
            Some(Value::Array(listed)) => Ok(listed),
            _ => Ok(Vec::new()),
        }
    }

    /// The definition of one queue.
    pub(super) async fn queue(&self, vhost: &str, name: &str) -> Result<Option<Value>, Fault> {
        self.get(format!("/api/queues/{}/{}", encoded(vhost), encoded(name))).await
    }

    /// How far the broker's clock is ahead of this machine's, in whole seconds, negative where it is behind; from HTTP's `Date`.
    pub(super) async fn clock_offset(&self) -> Result<i64, Fault> {
        let management = self.clone();
        let asking = tokio::task::spawn_blocking(move || {
            let answer = management.call("/api/whoami")?;
            let date = answer.headers().get("date").and_then(|date| date.to_str().ok());
            let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
            let date = date.ok_or_else(|| Fault::Refused("it does not say the time".into()))?;
            Ok(date.timestamp().as_second() - jiff::Timestamp::now().as_second())
        });
        asking.await.map_err(|_| Fault::timed_out("the management API"))?
    }

    /// The alarms that block publishers, such as `memory on rabbit@host`; `None` where the server knows no such question.
    pub(super) async fn alarms(&self) -> Result<Option<Vec<String>>, Fault> {
        let Some(answer) = self.get("/api/health/checks/alarms".into()).await? else { return Ok(None) };
        if answer["status"] == "ok" {
            return Ok(Some(Vec::new()));
        }
        let Some(alarms) = answer["alarms"].as_array() else { return Ok(None) };
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        Ok(Some(
            alarms.iter().map(|alarm| format!("{} on {}", text(&alarm["resource"]), text(&alarm["node"]))).collect(),
        ))
    }

    /// Whether a feature flag is on; `None` where the server does not know it.
    pub(super) async fn feature_flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        let flags = self.get("/api/feature-flags".into()).await?;
        let flags = flags.as_ref().and_then(Value::as_array);
        let flag = flags.into_iter().flatten().find(|flag| flag["name"] == name);
        Ok(flag.map(|flag| flag["state"] == "enabled"))
    }
}

fn unreachable(error: ureq::Error) -> Fault {
    Fault::Unreachable(std::sync::Arc::new(error))
}

/// One entry per queue of the user's: what lies in its suspects' and priorities' queues counts as lying in it.
fn merged<'a>(listed: impl Iterator<Item = &'a Value>) -> Vec<QueueInfo> {
    let mut queues = BTreeMap::<String, QueueInfo>::new();
    let mut companions = Vec::new();
    for queue in listed {
        let Some(Ok(name)) = queue["name"].as_str().map(QueueName::new) else { continue };
        // One connection's own, such as that of a worker's messages to itself.
        if queue["exclusive"] == true || name.as_str().starts_with("celeriac.delay.") {
            continue;
        }
        let number = |field: &str| queue[field].as_u64().filter(|_| !Halted::is_leaderless(queue));
        let info = QueueInfo {
            ready: number("messages_ready"),
            running: number("messages_unacknowledged"),
            consumers: number("consumers"),
            kind: queue["type"].as_str().map(str::to_owned),
            ..QueueInfo::unknown(name.clone())
        };
        if companion_of(name.as_str()).is_some() {
            companions.push(info);
        } else {
            queues.insert(name.as_str().into(), info);
        }
    }
    for companion in companions {
        let base = companion_of(companion.name.as_str()).unwrap_or_default();
        match queues.get_mut(base) {
            Some(info) => {
                info.ready = sum(info.ready, companion.ready);
                info.running = sum(info.running, companion.running);
            }
            // A queue of somebody else's that only looks like ours.
            None => drop(queues.insert(companion.name.as_str().to_owned(), companion)),
        }
    }
    queues.into_values().collect()
}

/// Unknown where a part is unknown: less than the whole would be shown as the whole.
pub(super) fn sum(left: Option<u64>, right: Option<u64>) -> Option<u64> {
    Some(left? + right?)
}

fn encoded(segment: &str) -> String {
    segment.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(byte.into());
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_lies_in_a_companion_counts_as_lying_in_its_queue() {
        let listed = [
            json!({"name": "a", "type": "quorum", "messages_ready": 1, "messages_unacknowledged": 2, "consumers": 3}),
            json!({"name": "a.suspect", "messages_ready": 10, "messages_unacknowledged": 1, "consumers": 3}),
            json!({"name": "a.p7", "messages_ready": 100, "messages_unacknowledged": 0, "consumers": 3}),
            json!({"name": "a.dead", "messages_ready": 5, "messages_unacknowledged": 0, "consumers": 0}),
            json!({"name": "celeriac.delay.v1.3", "messages_ready": 5}),
            json!({"name": "amq.gen-Lld1E8FtPFn9lsg5", "messages_ready": 0, "exclusive": true}),
            json!({"name": "unknown"}),
            json!({"name": "z", "type": "quorum", "leader": null, "online": [], "members": ["n"], "messages_ready": 0}),
        ];
        let queues = merged(listed.iter());
        let counts: Vec<_> = queues.iter().map(|info| (info.name.as_str(), info.ready, info.running)).collect();
        let expected =
            [("a", Some(111), Some(3)), ("a.dead", Some(5), Some(0)), ("unknown", None, None), ("z", None, None)];
        assert_eq!(counts, expected);
    }

    #[test]
    fn names_are_encoded_and_the_password_is_not_shown() {
        assert_eq!(encoded("/"), "%2F");
        assert_eq!(encoded("a b/ü"), "a%20b%2F%C3%BC");
        let management = Management::new(&BrokerUrl::parse("http://user:secret@h:15672/").unwrap()).unwrap();
        assert_eq!(management.base, "http://h:15672");
        assert!(!format!("{management:?}").contains("secret"));
    }
}
