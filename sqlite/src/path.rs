use std::path::{Path, PathBuf};

use url::Url;

/// A database's file, and the files beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabasePath(PathBuf);

const EXAMPLES: &str = "write sqlite://relative.db or sqlite:///absolute/path.db";

impl DatabasePath {
    /// The file that a URL names: `sqlite://relative.db` or `sqlite:///absolute/path.db`. The scheme and the options are the caller's to read.
    ///
    /// # Errors
    ///
    /// What is wrong with it, without what it says: it may have a password.
    pub fn from_url(url: &Url) -> Result<Self, String> {
        if !url.username().is_empty() || url.password().is_some() || url.port().is_some() {
            return Err(format!("a file has no user, password or port; {EXAMPLES}"));
        }
        if url.fragment().is_some() {
            return Err("write a `#` in a file's name as %23".into());
        }
        let path = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
        if path.is_empty() || path.ends_with('/') {
            return Err(format!("it names no file; {EXAMPLES}"));
        }
        percent_decoded(&path).map(Self).ok_or_else(|| {
            "a `%` in a file's name is followed by two hexadecimal digits; write the sign itself as %25".into()
        })
    }

    /// The database itself.
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// A file beside the database.
    pub fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.0.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    /// The folder that the file is in.
    pub fn folder(&self) -> &Path {
        match self.0.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }
}

impl From<PathBuf> for DatabasePath {
    fn from(path: PathBuf) -> Self {
        Self(path)
    }
}

fn percent_decoded(text: &str) -> Option<PathBuf> {
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

    fn parse(url: &str) -> Result<DatabasePath, String> {
        DatabasePath::from_url(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_path_is_relative_or_absolute() {
        for (url, path) in [
            ("sqlite://celeriac.db", "celeriac.db"),
            ("sqlite://data/Celeriac.db", "data/Celeriac.db"),
            ("sqlite://../up.db", "../up.db"),
            ("sqlite:///var/lib/celeriac.db?synchronous=full", "/var/lib/celeriac.db"),
            ("sqlite:plain.db", "plain.db"),
            ("sqlite:///a%20b%23c%25.db", "/a b#c%.db"),
        ] {
            assert_eq!(parse(url).unwrap().as_path(), Path::new(path), "{url}");
        }
    }

    #[test]
    fn what_names_no_file_is_refused_without_a_secret() {
        for url in [
            "sqlite://",
            "sqlite:///",
            "sqlite://folder/",
            "sqlite://user@file.db",
            "sqlite://user:secret@file.db",
            "sqlite://file.db:1",
            "sqlite://a.db#b",
            "sqlite:///a%2.db",
        ] {
            let fault = parse(url).unwrap_err();
            assert!(!fault.contains("secret"), "{url}: {fault}");
        }
    }

    #[test]
    fn files_beside_it_bear_its_name() {
        let path = DatabasePath::from(PathBuf::from("data/a.db"));
        assert_eq!((path.beside("-turn"), path.folder()), (PathBuf::from("data/a.db-turn"), Path::new("data")));
        assert_eq!(DatabasePath::from(PathBuf::from("a.db")).folder(), Path::new("."));
    }
}
