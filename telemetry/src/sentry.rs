use std::{borrow::Cow, fmt, str::FromStr as _};

use async_trait::async_trait;
use celeriac_broker::broker::host;
use celeriac_worker::{Context, Failure, Middleware};
use sentry::{
    ClientInitGuard, ClientOptions, Hub,
    protocol::{Event, Exception, Map},
    types::Dsn,
};

use crate::{Error, environment};

/// Reports failures that no attempt follows: permanent ones, and those of the last attempt, panics and hard limits too.
///
/// A report has the error's text, and as tags task, `task_id`, queue, attempt, reason, worker, hostname and the run's own; no argument
/// that is no tag. It goes to the client of [`Hub::current`]: [`Sentry::init`]'s, or that of the program.
///
/// What is rejected before it runs, such as an unknown task, is not reported: it is a dead letter with its reason.
///
/// ```no_run
/// # use celeriac_telemetry::Sentry;
/// # use celeriac_worker::{Pool, Worker};
/// # fn example() -> Result<(), celeriac_telemetry::Error> {
/// let sentry = Sentry::init()?;                                   // until the end of the program
/// let worker = Worker::builder().pool("billing", Pool::new(8)).middleware(Sentry);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Sentry;

/// Sends what is left when it is dropped, for at most 2 s.
#[must_use = "what is not sent yet is sent when this is dropped"]
pub struct SentryGuard(ClientInitGuard);

const DSN: &str = "SENTRY_DSN";

/// The longest error text in a report, in bytes.
const MAX_ERROR_LEN: usize = 4096;

/// What Sentry takes: the longest key of a tag.
const MAX_KEY_LEN: usize = 32;

impl Sentry {
    /// Makes a client for `SENTRY_DSN` the process's own; `None` where it is not set. Call it on the main thread, before others
    /// start. It also reads `SENTRY_RELEASE` and `SENTRY_ENVIRONMENT`.
    ///
    /// It reports what it is given and no more: a panic that is retried must not be reported.
    ///
    /// # Errors
    /// [`Error`] where the variable can't be read.
    pub fn init() -> Result<Option<SentryGuard>, Error> {
        let Some(text) = environment::text(DSN)? else { return Ok(None) };
        environment::reachable(DSN, &text)?;
        // It holds a key, so it is not shown.
        let dsn = Dsn::from_str(&text).map_err(|fault| Error { setting: DSN, fault: fault.to_string() })?;
        let mut options = ClientOptions::new().default_integrations(false).send_default_pii(false);
        options.dsn = Some(dsn);
        options.server_name = Some(host().into());
        Ok(Some(SentryGuard(sentry::init(options))))
    }
}

impl fmt::Debug for SentryGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentryGuard").field("enabled", &self.0.is_enabled()).finish()
    }
}

#[async_trait]
impl<S: Send + Sync + 'static> Middleware<S> for Sentry {
    async fn on_exhausted(&self, ctx: &Context<S>, failure: &Failure) {
        // Queued for a thread of the client's.
        Hub::current().capture_event(event(ctx, failure));
    }
}

fn event<S>(ctx: &Context<S>, failure: &Failure) -> Event<'static> {
    let task = &ctx.request().task;
    let mut tags = Map::new();
    for (key, value) in ctx.tags().iter() {
        tags.insert(key_of(key), value.unwrap_or("true").replace('\n', " "));
    }
    for (key, value) in [
        ("task", task.clone()),
        ("task_id", ctx.id().to_string()),
        ("queue", ctx.queue().to_string()),
        ("attempt", ctx.attempt().to_string()),
        ("reason", failure.reason.as_str().to_owned()),
        ("worker", ctx.worker().to_owned()),
        ("hostname", host().to_owned()),
    ] {
        tags.insert(key.to_owned(), value);
    }
    let exception = Exception {
        ty: failure.reason.as_str().to_owned(),
        value: Some(cut(&failure.error, MAX_ERROR_LEN).to_owned()),
        ..Exception::default()
    };
    Event {
        transaction: Some(task.clone()),
        // Two tasks that fail alike are two problems.
        fingerprint: vec![Cow::from("{{ default }}"), Cow::from(task.clone())].into(),
        logger: Some("celeriac".to_owned()),
        exception: vec![exception].into(),
        tags,
        ..Event::default()
    }
}

fn key_of(key: &str) -> String {
    let key = key.replace(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-')), "_");
    cut(&key, MAX_KEY_LEN).to_owned()
}

/// The longest prefix of at most `max` bytes, cut between characters.
fn cut(text: &str, max: usize) -> &str {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
