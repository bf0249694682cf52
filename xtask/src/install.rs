//! Packages of the operating system.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use xtask::services::find_program;

use crate::Failure;
use crate::foreground::run_well;

/// A package: the program by which it is known to be there, and its names.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) program: &'static str,
    pub(crate) debian: &'static str,
    pub(crate) homebrew: &'static str,
}

pub(crate) const RABBITMQ: Package =
    Package { program: "rabbitmq-server", debian: "rabbitmq-server", homebrew: "rabbitmq" };
pub(crate) const REDIS: Package = Package { program: "redis-server", debian: "redis-server", homebrew: "redis" };
pub(crate) const JDUPES: Package = Package { program: "jdupes", debian: "jdupes", homebrew: "jdupes" };
pub(crate) const PROMETHEUS: Package = Package { program: "prometheus", debian: "prometheus", homebrew: "prometheus" };
pub(crate) const PYTHON: Package = Package { program: "python3", debian: "python3-venv", homebrew: "python3" };

/// Whether the package's program is on this machine.
pub(crate) fn is_there(package: &Package) -> bool {
    find_program(package.program, &[]).is_some()
}

/// Installs packages: by apt as root, or by Homebrew.
///
/// # Errors
/// With the line that installs them, where neither is to be had.
pub(crate) fn install(packages: &[&Package]) -> Result<(), Failure> {
    let debian: Vec<&str> = packages.iter().map(|package| package.debian).collect();
    let homebrew: Vec<&str> = packages.iter().map(|package| package.homebrew).collect();
    if Path::new("/usr/bin/apt-get").exists() {
        if !nix::unistd::geteuid().is_root() {
            let line = format!("sudo apt-get install -y {}", debian.join(" "));
            return Err(Failure::CannotBeHad(format!("not everything is installed. Install it with: {line}")));
        }
        println!("Installing {} ..", debian.join(", "));
        let _guard = NoServices::new();
        apt(&["-qq", "update"])?;
        apt(&[["-qq", "-y", "install", "--no-install-recommends"].as_slice(), debian.as_slice()].concat())
    } else if cfg!(target_os = "macos") {
        println!("Installing {} ..", homebrew.join(", "));
        run_well(Command::new("brew").arg("install").args(&homebrew))
    } else {
        let programs: Vec<&str> = packages.iter().map(|package| package.program).collect();
        let line = format!("apt-get install -y {} (Debian), brew install {}", debian.join(" "), homebrew.join(" "));
        Err(Failure::CannotBeHad(format!("{} is not installed. Install it with: {line}", programs.join(", "))))
    }
}

fn apt(arguments: &[impl AsRef<OsStr>]) -> Result<(), Failure> {
    run_well(Command::new("/usr/bin/apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// Keeps packages from starting their services while it lives: we want the programs, not servers on the default ports.
struct NoServices {
    ours: bool,
}

impl NoServices {
    const POLICY: &str = "/usr/sbin/policy-rc.d";

    fn new() -> Self {
        if Path::new(Self::POLICY).exists() {
            return Self { ours: false };
        }
        let written = fs::write(Self::POLICY, "#!/bin/sh\nexit 101\n");
        let ours = written.and_then(|()| fs::set_permissions(Self::POLICY, fs::Permissions::from_mode(0o755))).is_ok();
        Self { ours }
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(Self::POLICY);
        }
    }
}
