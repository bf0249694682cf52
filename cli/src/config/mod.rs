//! Settings and where each comes from: flag > environment > `celeriac.toml` > code.

mod env;
mod file;
mod origin;
pub(crate) mod parse;
mod secret;
mod settings;
mod show;
mod suggest;

pub(crate) use origin::{Origin, Sourced};
pub(crate) use secret::SecretUrls;
pub(crate) use settings::{QueueSettings, Settings, of_code};
pub(crate) use show::{Row, rows};
pub(crate) use suggest::among as suggest;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use celeriac_broker::{Broker, Queue};
use celeriac_mutex::Locks;

use crate::Error;

/// The file that is read where it exists and no other is named.
pub(crate) const DEFAULT_FILE: &str = "celeriac.toml";

/// Where leases are kept.
#[derive(Debug)]
pub(crate) struct LockStore {
    pub(crate) locks: Locks,
    /// For people, without a password.
    pub(crate) address: String,
}

/// The settings of this process, and the file that was read.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// Those of flags, environment and file.
    pub(crate) settings: Settings,
    pub(crate) file: Option<PathBuf>,
    /// Those of the program itself: a user's worker.
    pub(crate) code: Settings,
}

impl Config {
    /// Puts `flags`, the environment and the file together.
    pub(crate) fn load(flags: Settings, named: Option<&Path>) -> Result<Self, Error> {
        Self::load_from(flags, named, &|name| std::env::var_os(name))
    }

    fn load_from(
        flags: Settings,
        named: Option<&Path>,
        lookup: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Error> {
        let named = named.map(Path::to_owned).or_else(|| env::config_file(lookup));
        let (file, from_file) = read_file(named.as_deref())?;
        Ok(Self { settings: flags.or(env::read(lookup)?).or(from_file), file, code: Settings::default() })
    }

    /// Everything that is set, by the code too.
    pub(crate) fn all(&self) -> Settings {
        self.settings.clone().or(self.code.clone())
    }

    /// The broker that the settings describe. No I/O.
    pub(crate) fn broker(&self) -> Result<Broker, Error> {
        self.broker_over(None, &[])
    }

    /// The broker that the settings describe, over what the code says.
    pub(crate) fn broker_over(&self, url: Option<&str>, queues: &[Queue]) -> Result<Broker, Error> {
        let settings = &self.settings;
        // Every address is given here, so that the builder looks nothing up in the environment by itself.
        let fallback = url.unwrap_or(Broker::DEFAULT_URL);
        let url = settings.broker_url.as_ref().map_or(fallback, |url| url.value.reveal());
        let mut builder = Broker::builder().url(url);
        for queue in queues {
            builder = builder.queue(queue.clone());
        }
        if let Some(url) = &settings.management_url {
            builder = builder.management_url(url.value.reveal());
        }
        if let Some(timeout) = &settings.publish_timeout {
            builder = builder.publish_timeout(timeout.value);
        }
        if let Some(bytes) = &settings.max_message_bytes {
            builder = builder.max_message_bytes(bytes.value);
        }
        for (name, queue) in &settings.queues {
            if let Some(queue) = queue.queue(name)? {
                builder = builder.queue(queue);
            }
        }
        builder.build().map_err(Error::broker("can't use the broker's address"))
    }

    /// Where leases are kept; `None` where nobody says, and the broker is no file. No I/O.
    pub(crate) fn locks(&self) -> Result<Option<LockStore>, Error> {
        let all = self.all();
        let url = all.locks_url.as_ref().map(|url| url.value.clone()).or_else(|| all.default_locks_url());
        let Some(url) = url else { return Ok(None) };
        let locks = Locks::from_url(url.reveal()).map_err(Error::locks("can't use the address of the lock store"))?;
        Ok(Some(LockStore { locks, address: url.to_string() }))
    }
}

fn read_file(named: Option<&Path>) -> Result<(Option<PathBuf>, Settings), Error> {
    let path = named.unwrap_or(Path::new(DEFAULT_FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((Some(path.to_owned()), file::read(path, &text)?)),
        // Absent is fine, unless somebody said that it is there.
        Err(fault) if named.is_none() && fault.kind() == io::ErrorKind::NotFound => Ok((None, Settings::default())),
        Err(fault) => Err(Error::Usage(format!("can't read {}: {fault}", path.display()))),
    }
}

#[cfg(test)]
mod tests;
