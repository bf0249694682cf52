//! The task that both sides know. Its Celery twin, which prints the same line, stands in `tests/celery/interop.py`.

use std::time::{SystemTime, SystemTimeError, UNIX_EPOCH};

use celeriac::prelude::*;
use serde_json::json;

/// Prints one line that says what it was called with, and how it came.
#[task(name = "interop.record", queue = "interop")]
pub(crate) async fn record(
    ctx: Context<()>,
    number: i64,
    text: String,
    #[arg(default)] flag: bool,
) -> Result<(), SystemTimeError> {
    let request = ctx.request();
    let ran = json!({
        "id": request.id.as_str(),
        "root_id": request.root_id.as_str(),
        "number": number,
        "text": text,
        "flag": flag,
        "attempt": ctx.attempt(),
        "traceparent": request.trace.as_ref().map(celeriac::message::TraceContext::traceparent),
        "at": SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64(),
    });
    println!("ran {ran}");
    Ok(())
}
