//! An HTTP service that publishes. Its answer says what the service knows: 202 when the broker has the task on disk, 503 with
//! `Retry-After` when nothing was published, and when it may have been, so that a client repeats with the same key.
//!
//! Run: `cargo run --example publishing_from_axum`, which serves at 127.0.0.1:8080 until Ctrl-C:
//! `curl -i -X POST -H 'idempotency-key: order-1' -H 'content-type: application/json' -d '{"to": "ada@example.org"}' http://127.0.0.1:8080/welcome`
//!
//! Or: `cargo run --example publishing_from_axum -- --demo`, which calls itself and ends. It prints
//!
//! ```text
//! the broker is there
//!   202 Accepted
//!   {"id":"order-1","queue":"axum.mail"}
//! a request without an address
//!   422 Unprocessable Entity
//! the broker does not answer
//!   503 Service Unavailable, Retry-After: 5
//!   {"error":"the broker at amqp://127.0.0.1:40959 is unreachable","id":"order-2","published":"no"}
//!   answered after 0.5 s: the publish timeout
//! the connection is lost before the broker confirms
//!   503 Service Unavailable, Retry-After: 5
//!   {"error":"task order-3 was sent to queue axum.mail but not confirmed: it may have been published","id":"order-3","published":"unknown"}
//! ```

use std::{error::Error as StdError, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::post,
};
use celeriac::{Broker, Error, TaskId, task};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

/// The longest that a request waits for the broker. The default is 5 s.
const PUBLISH_TIMEOUT: Duration = Duration::from_millis(500);

/// What clients are asked to wait.
const RETRY_AFTER_SECONDS: &str = "5";

/// The contract is enough to publish; the worker is another program.
#[task(name = "axum.welcome", queue = "axum.mail")]
struct Welcome {
    to: String,
}

#[derive(Deserialize)]
struct Customer {
    to: String,
}

fn service(broker: Broker) -> Router {
    Router::new().route("/welcome", post(welcome)).with_state(broker)
}

async fn welcome(State(broker): State<Broker>, headers: HeaderMap, Json(customer): Json<Customer>) -> Response {
    // The client's key becomes the task's id: when it repeats a request, both tasks have one id, and the duplicate is visible.
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let id = key.map_or_else(TaskId::new, TaskId::from);
    match broker.message(Welcome { to: customer.to }).id(id.clone()).publish().await {
        Ok(sent) => {
            let body = json!({ "id": sent.id.as_str(), "queue": sent.queue.as_str() });
            (StatusCode::ACCEPTED, Json(body)).into_response()
        }
        Err(error) => not_published(&id, &error),
    }
}

/// What a client should do next, by what is known of its task.
fn not_published(id: &TaskId, error: &Error) -> Response {
    let (status, published) = match error {
        // Nothing was published, and a later request may succeed.
        Error::Unreachable { .. } | Error::Blocked { .. } | Error::Nacked { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, "no")
        }
        // Nobody knows. The same key makes a repeated request safe where the handler is idempotent by its id.
        Error::Unconfirmed { .. } => (StatusCode::SERVICE_UNAVAILABLE, "unknown"),
        Error::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "no"),
        // The service is misconfigured: a wrong password, a full disk. Repeating won't help before somebody mends it.
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "no"),
    };
    let body = Json(json!({ "id": id.as_str(), "published": published, "error": error.to_string() }));
    match status {
        StatusCode::SERVICE_UNAVAILABLE => (status, [(RETRY_AFTER, RETRY_AFTER_SECONDS)], body).into_response(),
        _ => (status, body).into_response(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    if std::env::args().any(|argument| argument == "--demo") {
        return demo().await;
    }
    // No I/O yet: the service starts also while its broker is down.
    let broker = Broker::builder().publish_timeout(PUBLISH_TIMEOUT).build()?;
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("listening at http://{}, publishing to {}", listener.local_addr()?, broker.address());
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, service(broker)).with_graceful_shutdown(stop).await?;
    Ok(())
}

async fn demo() -> Result<(), Box<dyn StdError>> {
    println!("the broker is there");
    let broker = Broker::builder().publish_timeout(PUBLISH_TIMEOUT).build()?;
    ask(broker.clone(), "order-1", r#"{"to": "ada@example.org"}"#).await?;
    println!("a request without an address");
    ask(broker, "order-1", "{}").await?;

    println!("the broker does not answer");
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("amqp://{}", silent.local_addr()?);
    let broker = Broker::builder().url(&url).publish_timeout(PUBLISH_TIMEOUT).build()?;
    let began = Instant::now();
    ask(broker, "order-2", r#"{"to": "ada@example.org"}"#).await?;
    println!("  answered after {:.1} s: the publish timeout", began.elapsed().as_secs_f64());

    println!("the connection is lost before the broker confirms");
    let id = TaskId::from("order-3");
    let queue = celeriac::QueueName::new("axum.mail")?;
    let lost = Error::Unconfirmed { id: id.clone(), queue, source: "the connection was reset".into() };
    let answer = not_published(&id, &lost);
    let after = answer.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()).unwrap_or_default();
    println!("  {}, Retry-After: {after}", answer.status());
    let body = axum::body::to_bytes(answer.into_body(), 4096).await?;
    println!("  {}", String::from_utf8_lossy(&body));
    Ok(())
}

/// Serves one request, asks it as a client would, and prints the answer.
async fn ask(broker: Broker, key: &str, customer: &str) -> Result<(), Box<dyn StdError>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let client = async {
        let mut stream = TcpStream::connect(address).await?;
        let length = customer.len();
        let request = format!(
            "POST /welcome HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nidempotency-key: {key}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{customer}"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = tokio::select! {
        answer = client => answer?,
        stopped = async { axum::serve(listener, service(broker)).await } => return Ok(stopped?),
    };
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    let status = head.lines().next().and_then(|line| line.split_once(' ')).map_or(head, |(_, status)| status);
    let after = head.lines().find_map(|line| line.strip_prefix("retry-after: "));
    println!("  {status}{}", after.map(|after| format!(", Retry-After: {after}")).unwrap_or_default());
    if body.starts_with('{') {
        println!("  {body}");
    }
    Ok(())
}
