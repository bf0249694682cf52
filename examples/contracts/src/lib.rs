//! The contracts of a mail service's tasks: what producers and workers agree on, and nothing else.
//!
//! `#[task]` on a struct writes its contract alone, so this crate depends on `celeriac` without a worker and without a broker:
//! `celeriac = { .., default-features = false, features = ["macros"] }`. A producer needs this crate; the code that runs the
//! tasks stands in the worker's.

use celeriac::task;

/// Sends one mail. The run returns the id that the mail server gave it.
#[task(
    name = "mail.send",
    queue = "mail",
    output = String,
    time_limit = "30s",
    retry(max_attempts = 5, backoff = "1s..5m"),
)]
pub struct SendMail {
    /// Who gets it.
    pub to: String,
    /// Its subject; a greeting where the producer gives none.
    #[arg(default = "Hello".to_owned())]
    pub subject: String,
    /// What the mail server asks for. It is shown in no log and no listing.
    #[arg(secret)]
    pub token: String,
}
