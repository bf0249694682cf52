//! The `celeriac` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    celeriac_cli::celeriac()
}
