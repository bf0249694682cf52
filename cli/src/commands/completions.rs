use clap_complete::Shell;

use crate::{Error, output::Output};

/// `celeriac completions SHELL`
#[derive(Debug, clap::Args)]
pub(crate) struct Command {
    /// The shell to write for.
    shell: Shell,
}

pub(crate) fn run(command: &Command, mut program: clap::Command) -> Result<(), Error> {
    let mut script = Vec::new();
    let name = program.get_name().to_owned();
    clap_complete::generate(command.shell, &mut program, name, &mut script);
    Output::raw(&script)
}
