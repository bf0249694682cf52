//! Messages: what is read, what is written, what copies keep. The samples were captured from Celery 5.7.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod bind;
mod copies;
mod decode;
mod drafts;
mod python;
mod retry;
mod sample;
mod samples;
