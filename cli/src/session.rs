//! What a command works with: settings, broker, output.

use celeriac_broker::{Broker, Queue};

use crate::{Error, args::Common, config::Config, output::Output};

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) config: Config,
    pub(crate) output: Output,
}

impl Session {
    /// Reads the settings and starts logging at `level`.
    pub(crate) fn start(common: &Common, level: &str) -> Result<Self, Error> {
        let config = Config::load(common.settings(), common.config.as_deref())?;
        let format = config.settings.log_format.as_ref().map(|format| format.value).unwrap_or_default();
        crate::logs::init(format, level)?;
        Ok(Self { config, output: Output::new(common.json) })
    }

    /// The broker that the settings name.
    pub(crate) fn broker(&self) -> Result<Broker, Error> {
        self.config.broker()
    }

    /// The queues that `celeriac.toml` describes.
    pub(crate) fn configured_queues(&self, broker: &Broker) -> Result<Vec<Queue>, Error> {
        let names = self.config.settings.queues.keys();
        names.map(|name| broker.queue(name).map_err(Error::broker("can't use celeriac.toml"))).collect()
    }
}
