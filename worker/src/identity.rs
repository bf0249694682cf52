//! Who runs tasks here.

use std::sync::OnceLock;

/// This machine's name.
pub(crate) fn host() -> &'static str {
    celeriac_broker::broker::host()
}

/// This process, as `celeriac lock list` shows it: `host:pid`.
pub(crate) fn worker() -> &'static str {
    static WORKER: OnceLock<String> = OnceLock::new();
    WORKER.get_or_init(|| format!("{}:{}", host(), std::process::id()))
}
