//! A Python with the package `celery`.

use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::services::target_directory;

use crate::Failure;
use crate::foreground::run_well;
use crate::install::{PYTHON, install};

/// The version that the interoperability tests speak with.
pub(crate) const CELERY: &str = "5.7.0";

/// Finds or makes `target/celery-venv`, and returns its Python.
pub(crate) fn python() -> Result<PathBuf, Failure> {
    let folder = target_directory().join("celery-venv");
    let python = folder.join("bin/python");
    if has_celery(&python) {
        return Ok(python);
    }
    println!("Installing celery {CELERY} into {} ..", folder.display());
    if run_well(&mut make("python3", &folder)).is_err() {
        // Debian's Python makes no environment without this package; another Python in PATH may not see it.
        install(&[&PYTHON])?;
        let python3 = if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" };
        run_well(&mut make(python3, &folder))?;
    }
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "--disable-pip-version-check", "--quiet", "install"]).arg(format!("celery=={CELERY}"));
    run_well(&mut pip)?;
    Ok(python)
}

fn make(python: &str, folder: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "venv", "--clear"]).arg(folder);
    command
}

fn has_celery(python: &Path) -> bool {
    let script = format!("import celery, sys; sys.exit(celery.__version__ != '{CELERY}')");
    let output = Command::new(python).args(["-c", &script]).output();
    output.is_ok_and(|output| output.status.success())
}
