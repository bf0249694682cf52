//! What a command works with: settings, broker, output.

use celeriac_broker::{Broker, Queue};
use celeriac_mutex::Locks;

use crate::{
    Error,
    args::Common,
    config::{Config, LockStore, Settings},
    output::Output,
    telemetry::Telemetry,
};

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) config: Config,
    pub(crate) output: Output,
    /// The broker that a user's program has, with what its code says of it.
    pub(crate) broker: Option<Broker>,
    /// The locks that a user's program has handed to its worker.
    pub(crate) locks: Option<Locks>,
}

impl Session {
    /// Puts `flags` and the other settings together, and starts logging at `level`.
    pub(crate) fn start(common: &Common, flags: Settings, level: &str, telemetry: &Telemetry) -> Result<Self, Error> {
        let config = Config::load(flags, common.config.as_deref())?;
        let format = config.settings.log_format.as_ref().map(|format| format.value).unwrap_or_default();
        crate::logs::init(format, level, telemetry)?;
        Ok(Self { config, output: Output::new(common.json), broker: None, locks: None })
    }

    /// The broker that the settings name.
    pub(crate) fn broker(&self) -> Result<Broker, Error> {
        self.broker.clone().map_or_else(|| self.config.broker(), Ok)
    }

    /// Where leases are kept; `None` where nobody says.
    pub(crate) fn lock_store(&self) -> Result<Option<LockStore>, Error> {
        match &self.locks {
            Some(locks) if self.config.settings.locks_url.is_none() => {
                Ok(Some(LockStore { locks: locks.clone(), address: "the program's own lock store".into() }))
            }
            _ => self.config.locks(),
        }
    }

    /// Where leases are kept, for a command that needs to know.
    pub(crate) fn needed_lock_store(&self) -> Result<LockStore, Error> {
        self.lock_store()?.ok_or_else(|| {
            Error::Usage(
                "no lock store is named: set CELERIAC_LOCKS_URL (or --locks-url, or locks_url in celeriac.toml) to the \
                 address that the workers have, such as redis://localhost:6379"
                    .into(),
            )
        })
    }

    /// The queues that `celeriac.toml` or the program names.
    pub(crate) fn configured_queues(&self, broker: &Broker) -> Result<Vec<Queue>, Error> {
        self.config
            .all()
            .queues
            .keys()
            .map(|name| broker.queue(name).map_err(Error::broker("can't use celeriac.toml")))
            .collect()
    }
}
