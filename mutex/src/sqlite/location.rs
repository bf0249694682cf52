use std::path::{Path, PathBuf};

use url::Url;

use crate::Error;

/// The file that a `sqlite://` URL names, and the files beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) path: PathBuf,
}

/// What the broker's URL of the same file may say. Here it means nothing.
const OPTIONS: [&str; 3] = ["synchronous", "claim_lease", "max_size"];

impl Location {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let fault = |fault: &str| Error::Invalid(format!("the locks' address {text:?} names no file: {fault}"));
        let url = Url::parse(text).map_err(|error| fault(&error.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() || url.port().is_some() {
            // Not shown: what stands there may be a secret.
            return Err(Error::Invalid(
                "a file has no user, password or port; write sqlite://relative.db or sqlite:///absolute/path.db".into(),
            ));
        }
        if url.scheme() != "sqlite" {
            return Err(fault("it does not begin with sqlite://"));
        }
        if url.fragment().is_some() {
            return Err(fault("write a `#` in a file's name as %23"));
        }
        if let Some((name, _)) = url.query_pairs().find(|(name, _)| !OPTIONS.contains(&name.as_ref())) {
            return Err(fault(&format!("{name} is no option of a file; there are {}", OPTIONS.join(", "))));
        }
        let path = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
        if path.is_empty() || path.ends_with('/') {
            return Err(fault("write sqlite://relative.db or sqlite:///absolute/path.db"));
        }
        let path = decoded(&path).ok_or_else(|| fault("a `%` is followed by two hexadecimal digits"))?;
        Ok(Self { path })
    }

    /// A file beside the database.
    pub(super) fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    /// The folder that the file is in.
    pub(super) fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    /// Where each process keeps a file of its own locked.
    pub(super) fn processes(&self) -> PathBuf {
        self.beside("-locks")
    }
}

/// Percent-decodes a path.
fn decoded(text: &str) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let (high, low) = (char::from(rest.next()?).to_digit(16)?, char::from(rest.next()?).to_digit(16)?);
            u8::try_from(high * 16 + low).ok()?
        } else {
            byte
        });
    }
    path(bytes)
}

#[cfg(unix)]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere a path is text, and this can fail")]
fn path(bytes: Vec<u8>) -> Option<PathBuf> {
    Some(PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes)))
}

#[cfg(not(unix))]
fn path(bytes: Vec<u8>) -> Option<PathBuf> {
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_the_file_that_it_names_for_the_broker() {
        for (url, path) in [
            ("sqlite://celeriac.db", "celeriac.db"),
            ("sqlite://data/Celeriac.db", "data/Celeriac.db"),
            ("sqlite://../up.db", "../up.db"),
            ("sqlite:///var/lib/celeriac.db?synchronous=full&max_size=2MiB", "/var/lib/celeriac.db"),
            ("sqlite:plain.db", "plain.db"),
            ("sqlite:///a%20b%23c%25.db", "/a b#c%.db"),
        ] {
            assert_eq!(Location::parse(url).unwrap().path, Path::new(path), "{url}");
        }
    }

    #[test]
    fn what_names_no_file_is_refused() {
        for url in [
            "",
            "redis://a",
            "sqlite://",
            "sqlite:///",
            "sqlite://a/",
            "sqlite://u:p@a",
            "sqlite://a#b",
            "sqlite://a?b=1",
            "sqlite:///a%2",
        ] {
            let error = Location::parse(url).unwrap_err();
            assert!(matches!(error, Error::Invalid(_)), "{url}");
        }
    }
}
