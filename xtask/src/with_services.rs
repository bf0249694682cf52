//! `cargo xtask services`

use std::env;
use std::process::Command;

use crate::Failure;
use crate::arguments::Arguments;
use crate::foreground::run_well;
use crate::session::Session;

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.no_words()?;
    let session = Session::start(&arguments.without)?;
    let mut command = match arguments.rest.split_first() {
        Some((program, rest)) => {
            let mut command = Command::new(program);
            command.args(rest);
            command
        }
        None => Command::new(env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into())),
    };
    run_well(session.enter(&mut command))
}
