//! `cargo xtask bench`

use crate::Failure;
use crate::arguments::Arguments;
use crate::foreground::run_well;
use crate::session::Session;
use crate::test::cargo;

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    // Built before the services start, which would only take cores from the compiler.
    let build = ["--release", "--package", "celeriac-benches", "--bin", "celeriac-benches"];
    run_well(cargo(&["build"]).args(build))?;
    let session = Session::start(&arguments.without)?;
    let mut command = cargo(&["run", "--quiet"]);
    command.args(build).arg("--").args(&arguments.words).args(&arguments.rest);
    run_well(session.enter(&mut command))
}
