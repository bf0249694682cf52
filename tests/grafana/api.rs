//! What is asked of a running Prometheus.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::eventually_ok;

/// Seconds since 1970.
pub(super) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// The answer's `data`, or its error.
pub(super) async fn ask(port: u16, path: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
    let body: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    // HTTP/1.0: the answer ends with the connection, and has no chunks.
    let request = format!("GET {path}?{} HTTP/1.0\r\nHost: localhost\r\n\r\n", body.join("&"));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(|error| error.to_string())?;
    stream.write_all(request.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.map_err(|error| error.to_string())?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut json: Value = serde_json::from_str(body).map_err(|error| format!("{error}: {head}\n{body}"))?;
    if json["status"] == "success" { Ok(json["data"].take()) } else { Err(json["error"].to_string()) }
}

fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// Every number that an expression has had since `start`.
pub(super) async fn numbers(port: u16, expr: &str, start: f64) -> Result<Vec<f64>, String> {
    let (start, end) = (start.to_string(), now().to_string());
    let parameters = [("query", expr), ("start", &start), ("end", &end), ("step", "2")];
    let data = ask(port, "/api/v1/query_range", &parameters).await?;
    let series = data["result"].as_array().ok_or("no result")?;
    let numbers = series.iter().flat_map(|series| series["values"].as_array().unwrap());
    let numbers = numbers.filter_map(|sample| sample[1].as_str()?.parse::<f64>().ok());
    Ok(numbers.filter(|number| !number.is_nan()).collect())
}

/// Waits until an expression has a value other than 0.
pub(super) async fn until(port: u16, expr: &str, bound: Duration) {
    eventually_ok(bound, || async {
        let data =
            ask(port, "/api/v1/query", &[("query", expr)]).await.unwrap_or_else(|error| panic!("{expr}: {error}"));
        let values = data["result"].as_array().unwrap().iter();
        let mut values = values.filter_map(|series| series["value"][1].as_str()?.parse::<f64>().ok());
        let is_there = values.any(|value| value != 0.0 && !value.is_nan());
        if is_there { Ok(()) } else { Err(format!("{expr} is {data}")) }
    })
    .await;
}
