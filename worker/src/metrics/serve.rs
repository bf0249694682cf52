use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use prometheus::{TEXT_FORMAT, TextEncoder};

use super::{Metrics, health::Part};

impl Metrics {
    /// `/metrics`, `/livez`, `/readyz` and `/startupz`, to be mounted in a service of your own.
    ///
    /// | path | 200 when |
    /// |---|---|
    /// | `/metrics` | always; everything that is in the registry |
    /// | `/livez` | the worker's event loop ticks; the broker has no part in it, so that its death restarts no worker |
    /// | `/readyz` | the consumers are registered, a message to itself came back in time over the connection on which they consume, the store for locks answers, and the worker does not stop |
    /// | `/startupz` | the worker has begun to consume |
    pub fn router(&self) -> Router {
        Router::new()
            .route("/metrics", get(scrape))
            .route("/livez", get(async |State(metrics): State<Self>| answer(&[metrics.hub.health.live()])))
            .route("/readyz", get(async |State(metrics): State<Self>| answer(&metrics.hub.health.ready())))
            .route("/startupz", get(async |State(metrics): State<Self>| answer(&[metrics.hub.health.startup()])))
            .with_state(self.clone())
    }
}

async fn scrape(State(metrics): State<Metrics>) -> impl IntoResponse {
    match TextEncoder::new().encode_to_string(&metrics.registry.gather()) {
        Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, TEXT_FORMAT)], text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain")], error.to_string()),
    }
}

/// One line for each part.
fn answer(parts: &[Part]) -> impl IntoResponse + use<> {
    let well = parts.iter().all(|(_, found)| found.is_ok());
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let lines = parts.iter().map(|(part, found)| match found {
        Ok(()) => format!("{part}: ok\n"),
        Err(fault) => format!("{part}: {fault}\n"),
    });
    (status, lines.collect::<String>())
}
