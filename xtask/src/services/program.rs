//! Finding the programs that packages install.

use std::env;
use std::path::{Path, PathBuf};

/// Finds `name` in `folders`, then in `PATH`, then in the folders that hold servers but stand in no user's `PATH`.
pub fn find(name: &str, folders: &[&str]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let often_missing = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/opt/homebrew/sbin"];
    folders
        .iter()
        .map(PathBuf::from)
        .chain(env::split_paths(&path))
        .chain(often_missing.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|program| is_file(program))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}
