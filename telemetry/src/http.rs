//! The exporter's way out: ureq, which blocks. It is called on the exporter's own thread alone.

use std::time::Duration;

use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use ureq::Agent;

/// A client without a runtime.
#[derive(Debug)]
pub(crate) struct Client(Agent);

/// A collector's answer says at most what it could not take.
const MAX_ANSWER: u64 = 1024 * 1024;

impl Client {
    /// A request takes at most `limit`, however silent the other side is.
    pub(crate) fn new(limit: Duration) -> Self {
        let agent = Agent::config_builder().timeout_global(Some(limit)).http_status_as_error(false);
        #[cfg(feature = "tls")]
        let agent = agent.tls_config(tls());
        Self(agent.build().new_agent())
    }
}

/// The roots of the system: collectors are often signed by an authority of the house.
#[cfg(feature = "tls")]
fn tls() -> ureq::tls::TlsConfig {
    use ureq::tls::{Certificate, RootCerts, TlsConfig};

    let roots = rustls_native_certs::load_native_certs().certs;
    let roots = roots.iter().map(|root| Certificate::from_der(root).to_owned());
    TlsConfig::builder().root_certs(RootCerts::from(roots)).build()
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let response = self.0.run(Request::from_parts(parts, &body[..]))?;
        let (parts, mut body) = response.into_parts();
        let body = body.with_config().limit(MAX_ANSWER).read_to_vec()?;
        Ok(Response::from_parts(parts, body.into()))
    }
}
