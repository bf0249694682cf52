//! The operator's verbs, and a worker command for your own binary.
//!
//! | module | holds |
//! |---|---|
//! | `commands` | one file per command |
//! | `config` | settings and where each comes from: flag > environment > `celeriac.toml` > code |
//! | `logs`, `telemetry` | lines to standard error; traces and failures to where the environment says |
//! | `output` | tables for people, one JSON document for machines |
//! | `error` | what a command can fail with, and its exit code |

mod args;
mod commands;
mod config;
mod error;
mod logs;
mod output;
mod program;
mod session;
mod telemetry;
mod text;

pub use error::{EXIT_FAILED, EXIT_OK, EXIT_UNHEALTHY, EXIT_USAGE, Error};
pub use logs::LogFormat;
pub use program::{celeriac, run};
