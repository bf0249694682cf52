use std::{ffi::OsString, path::PathBuf};

use super::{Origin, SecretUrls, Settings, Sourced, parse};
use crate::Error;

/// Looks an environment variable up; a test has one of its own.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The settings that the environment holds.
pub(crate) fn read(lookup: Lookup<'_>) -> Result<Settings, Error> {
    let environment = Environment(lookup);
    Ok(Settings {
        broker_url: environment.secret("CELERIAC_BROKER_URL")?,
        management_url: environment.secret("CELERIAC_MANAGEMENT_URL")?,
        locks_url: environment.secret("CELERIAC_LOCKS_URL")?,
        publish_timeout: environment.get("CELERIAC_PUBLISH_TIMEOUT", parse::positive)?,
        max_message_bytes: environment.get("CELERIAC_MAX_MESSAGE_BYTES", parse::number)?,
        shutdown_timeout: environment.get("CELERIAC_SHUTDOWN_TIMEOUT", parse::duration)?,
        log_format: environment.get("CELERIAC_LOG_FORMAT", crate::LogFormat::parse)?,
        metrics_addr: environment.get("CELERIAC_METRICS_ADDR", parse::address)?,
        only_queues: environment.get("CELERIAC_QUEUES", parse::names)?,
        concurrency: environment.get("CELERIAC_CONCURRENCY", parse::at_least_one)?,
        prefetch: environment.get("CELERIAC_PREFETCH", parse::at_least_one)?,
        queues: std::collections::BTreeMap::new(),
    })
}

/// The file that `CELERIAC_CONFIG` names.
pub(crate) fn config_file(lookup: Lookup<'_>) -> Option<PathBuf> {
    lookup("CELERIAC_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
}

struct Environment<'a>(Lookup<'a>);

impl Environment<'_> {
    /// The text of a variable. An empty one counts as unset: compose files and CI set many of those.
    fn text(&self, name: &str) -> Result<Option<String>, Error> {
        match (self.0)(name) {
            None => Ok(None),
            Some(value) if value.is_empty() => Ok(None),
            Some(value) => value.into_string().map(Some).map_err(|_| Error::Usage(format!("{name} is not UTF-8"))),
        }
    }

    fn get<T>(&self, name: &str, parse: fn(&str) -> Result<T, String>) -> Result<Option<Sourced<T>>, Error> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let value = parse(&text).map_err(|fault| Error::Usage(format!("{name}: {fault}")))?;
        Ok(Some(Sourced { value, origin: Origin::Environment(name.to_owned()) }))
    }

    /// A setting that may hold a password: the variable, or the file that `<name>_FILE` names.
    fn secret(&self, name: &str) -> Result<Option<Sourced<SecretUrls>>, Error> {
        let in_file = format!("{name}_FILE");
        match (self.text(name)?, self.text(&in_file)?) {
            (Some(_), Some(_)) => Err(Error::Usage(format!("{name} and {in_file} are both set; unset one of them"))),
            (Some(value), None) => {
                Ok(Some(Sourced { value: SecretUrls::new(value), origin: Origin::Environment(name.to_owned()) }))
            }
            (None, Some(path)) => {
                let text = std::fs::read_to_string(&path)
                    .map_err(|fault| Error::Usage(format!("{in_file}: can't read {path}: {fault}")))?;
                let value = text.trim().to_owned();
                if value.is_empty() {
                    return Err(Error::Usage(format!("{in_file}: {path} is empty")));
                }
                Ok(Some(Sourced { value: SecretUrls::new(value), origin: Origin::Environment(in_file) }))
            }
            (None, None) => Ok(None),
        }
    }
}
