//! Where services keep their data.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, process};

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::Error;

/// The data folder of one service, `target/services/<our pid>/<name>-<n>`: removed on drop, kept when a test panics so that
/// the server's log can be read.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    /// Creates an empty folder.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be created.
    pub fn create(name: &str) -> Result<Self, Error> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = all_services().join(process::id().to_string()).join(format!("{name}-{number}"));
        // What stands there belonged to a process that had our pid before us.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).map_err(|source| Error::io(format!("creating {}", path.display()), source))?;
        Ok(Self { path, keep: false })
    }

    /// Removes what processes that are no more have left: those that were killed, and tests that failed.
    pub fn remove_abandoned() {
        let Ok(entries) = fs::read_dir(all_services()) else { return };
        for entry in entries.flatten() {
            let pid = entry.file_name().to_string_lossy().parse().map(Pid::from_raw);
            if pid.is_ok_and(|pid| kill(pid, None) == Err(Errno::ESRCH)) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }

    /// Leaves the folder where it is, and returns its path.
    pub fn keep(&mut self) -> PathBuf {
        self.keep = true;
        self.path.clone()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file into the folder.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written.
    pub fn write(&self, name: &str, content: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        fs::write(&path, content).map_err(|source| Error::io(format!("writing {}", path.display()), source))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep || std::thread::panicking() {
            return;
        }
        let _ = fs::remove_dir_all(&self.path);
        if let Some(ours) = self.path.parent() {
            // Fails while a sibling is left in it, which then removes it.
            let _ = fs::remove_dir(ours);
        }
    }
}

/// `target/services`.
fn all_services() -> PathBuf {
    target_directory().join("services")
}

/// Cargo's target directory, as seen from the running executable.
pub fn target_directory() -> PathBuf {
    let executable = env::current_exe().unwrap_or_default();
    let built_in = executable.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    built_in.map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), Path::to_path_buf)
}
