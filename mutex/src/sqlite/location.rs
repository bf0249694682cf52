use std::path::PathBuf;

use celeriac_sqlite::DatabasePath;
use url::Url;

use crate::Error;

/// What the broker's URL of the same file may say. Here it means nothing.
const OPTIONS: [&str; 3] = ["synchronous", "claim_lease", "max_size"];

/// The file that a `sqlite://` URL names.
pub(super) fn parse(text: &str) -> Result<DatabasePath, Error> {
    let fault = |fault: &str| Error::Invalid(format!("the locks' address names no file: {fault}"));
    let url = Url::parse(text).map_err(|error| fault(&error.to_string()))?;
    let path = DatabasePath::from_url(&url).map_err(|error| fault(&error))?;
    if url.scheme() != "sqlite" {
        return Err(fault("it does not begin with sqlite://"));
    }
    if let Some((name, _)) = url.query_pairs().find(|(name, _)| !OPTIONS.contains(&name.as_ref())) {
        return Err(fault(&format!("{name} is no option of a file; there are {}", OPTIONS.join(", "))));
    }
    Ok(path)
}

/// Where each process keeps a file of its own locked.
pub(super) fn processes(path: &DatabasePath) -> PathBuf {
    path.beside("-locks")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
            assert_eq!(parse(url).unwrap().as_path(), Path::new(path), "{url}");
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
            let error = parse(url).unwrap_err();
            assert!(matches!(error, Error::Invalid(_)), "{url}");
        }
    }
}
