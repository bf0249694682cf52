//! The command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::{
    LogFormat,
    commands::{check, completions, config, dead, doctor, lock, queue, semaphore, task},
    config::{SecretUrls, Settings, Sourced},
};

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Common options")]
#[allow(clippy::doc_markdown, reason = "these texts are read on terminals")]
pub(crate) struct Common {
    /// Where the broker is: sqlite://celeriac.db, amqp://user:password@host:5672/vhost; several apart by commas.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) broker: Option<SecretUrls>,

    /// RabbitMQ's management API, for what AMQP can't tell: http://user:password@host:15672.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) management: Option<SecretUrls>,

    /// Where leases are kept: redis://host:6379, sqlite://celeriac.db [default: the broker's file, where it is one].
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) locks_url: Option<SecretUrls>,

    /// The file with settings [default: celeriac.toml in the current folder, where it exists].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// How log lines are written to standard error; RUST_LOG says which [default: pretty].
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,

    /// Print one JSON document instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl Common {
    /// The settings that the command line holds.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            broker_url: self.broker.clone().map(|url| Sourced::flag("--broker", url)),
            management_url: self.management.clone().map(|url| Sourced::flag("--management", url)),
            locks_url: self.locks_url.clone().map(|url| Sourced::flag("--locks-url", url)),
            log_format: self.log_format.map(|format| Sourced::flag("--log-format", format)),
            ..Settings::default()
        }
    }
}

/// What an operator does; the same in `celeriac` and in a user's own binary.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Look at queues, declare and empty them.
    #[command(subcommand)]
    Queue(queue::Command),
    /// Look at dead letters, give them another life, delete them.
    #[command(subcommand)]
    Dead(dead::Command),
    /// Publish tasks by name.
    #[command(subcommand)]
    Task(task::Command),
    /// Look at locks, take one from its holder, ask a holder to let go.
    #[command(subcommand)]
    Lock(lock::Command),
    /// Look at semaphores, and set how many leases they have.
    #[command(subcommand)]
    Semaphore(semaphore::Command),
    /// Say what is wrong with the broker, its queues and the lock store; exit code 3 where something does not work.
    Doctor(doctor::Command),
    /// Check a queue, a worker or the locks for Nagios, Zabbix and their kin: one line, perfdata, exit code 0, 1, 2 or 3.
    #[command(subcommand)]
    Check(check::Command),
    /// Show settings and where each comes from.
    #[command(subcommand)]
    Config(config::Command),
    /// Print a script that completes commands in a shell.
    Completions(completions::Command),
}

impl Verb {
    /// What it checks, where it is a check.
    pub(crate) const fn checks(&self) -> Option<&'static str> {
        match self {
            Self::Check(command) => Some(command.service()),
            _ => None,
        }
    }
}
