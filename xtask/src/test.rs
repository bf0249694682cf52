//! `cargo xtask test`

use std::num::NonZero;
use std::process::Command;
use std::time::Instant;
use std::{env, thread};

use xtask::services::Folder;

use crate::Failure;
use crate::arguments::Arguments;
use crate::foreground::{self, run_well};
use crate::session::Session;

const THREADS: &str = "NEXTEST_TEST_THREADS";

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.no_words()?;
    let begin = Instant::now();
    let mut session = Session::start(&arguments.without)?;
    // The tests run these; those of other packages would not be built for them.
    run_well(session.enter(&mut cargo(&["build", "--workspace", "--bins", "--examples"])))?;

    let folder = Folder::create("nextest")?;
    let mut failed = Vec::new();
    let mut step = |what: &'static str, command: &mut Command| -> Result<(), Failure> {
        if !foreground::run(session.enter(command))?.success() {
            failed.push(what);
        }
        Ok(())
    };
    step("the tests", &mut tests(arguments, &folder)?)?;
    let selected = !arguments.rest.is_empty();
    if !selected {
        step("the doc tests", &mut cargo(&["test", "--workspace", "--doc"]))?;
    }

    println!();
    if selected {
        println!("Run: the tests selected by `{}`, and no doc tests.", arguments.rest.join(" "));
    }
    if arguments.without.iter().next().is_some() {
        let marks = arguments.without.marks().join("`, `");
        println!("Left out by --without: {}; that is every test whose path contains `{marks}`.", arguments.without);
    }
    if failed.is_empty() {
        println!("cargo xtask test: passed in {} s.", begin.elapsed().as_secs());
        Ok(())
    } else {
        session.keep_logs();
        Err(Failure::Failed(format!("{} failed, after {} s.", failed.join(" and "), begin.elapsed().as_secs())))
    }
}

/// Every test of the workspace, by nextest where it is there.
fn tests(arguments: &Arguments, folder: &Folder) -> Result<Command, Failure> {
    let marks = arguments.without.marks();
    if cargo(&["nextest", "--version"]).output().is_ok_and(|output| output.status.success()) {
        let mut command = cargo(&["nextest", "run", "--workspace"]);
        if !marks.is_empty() {
            // As the default filter, so that filters of the command line select within it.
            let marks = marks.join("|");
            let filter = format!("not test(/{marks}/)");
            let path = folder.write("nextest.toml", &format!("[profile.default]\ndefault-filter = '{filter}'\n"))?;
            command.arg("--tool-config-file").arg(format!("xtask:{}", path.display()));
        }
        command.args(&arguments.rest);
        // Most tests wait for a server most of the time. What the environment says has precedence.
        if env::var_os(THREADS).is_none() {
            let cores = thread::available_parallelism().map_or(1, NonZero::get);
            command.env(THREADS, cores.max(4).to_string());
        }
        Ok(command)
    } else {
        println!("cargo-nextest is not installed: the tests run by cargo test.");
        let mut command = cargo(&["test", "--workspace", "--all-targets"]);
        let (own, harness) = split(&arguments.rest);
        command.args(own).arg("--").args(harness);
        command.args(marks.iter().flat_map(|mark| ["--skip", mark]));
        Ok(command)
    }
}

/// What stands before and after `--`.
fn split(words: &[String]) -> (&[String], &[String]) {
    let at = words.iter().position(|word| word == "--").unwrap_or(words.len());
    (&words[..at], words.get(at + 1..).unwrap_or_default())
}

/// The cargo that runs us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}
