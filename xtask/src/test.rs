//! `cargo xtask test`

use std::num::NonZero;
use std::process::Command;
use std::time::Instant;
use std::{env, thread};

use crate::Failure;
use crate::arguments::Arguments;
use crate::foreground::{self, run_well};
use crate::session::Session;

const THREADS: &str = "NEXTEST_TEST_THREADS";

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.no_words()?;
    let begin = Instant::now();
    // The tests run these; those of other packages would not be built for them. First, so that the services neither wait for the
    // compiler nor take cores from it.
    run_well(&mut cargo(&["build", "--workspace", "--bins", "--examples"]))?;
    let mut session = Session::start(&arguments.without)?;

    let mut failed = Vec::new();
    let mut step = |what: &'static str, command: &mut Command| -> Result<(), Failure> {
        if !foreground::run(session.enter(command))?.success() {
            failed.push(what);
        }
        Ok(())
    };
    step("the tests", &mut tests(arguments))?;
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
fn tests(arguments: &Arguments) -> Command {
    let marks = arguments.without.marks();
    if cargo(&["nextest", "--version"]).output().is_ok_and(|output| output.status.success()) {
        let mut command = cargo(&["nextest", "run"]);
        if !arguments.rest.iter().any(|word| word == "-p" || word == "--package") {
            command.arg("--workspace");
        }
        command.args(nextest_arguments(&arguments.rest, &marks));
        // Most tests wait for a server most of the time. What the environment says has precedence.
        if env::var_os(THREADS).is_none() {
            let cores = thread::available_parallelism().map_or(1, NonZero::get);
            command.env(THREADS, cores.max(4).to_string());
        }
        command
    } else {
        println!("cargo-nextest is not installed: the tests run by cargo test.");
        let mut command = cargo(&["test", "--workspace", "--all-targets"]);
        let (own, harness) = split(&arguments.rest);
        command.args(own).arg("--").args(harness);
        command.args(marks.iter().flat_map(|mark| ["--skip", mark]));
        command
    }
}

/// What the user asks nextest for, less the tests that are left out. A filterset of the user's has to say so itself: nextest runs
/// what any one of several selects.
fn nextest_arguments(asked: &[String], left_out: &[&str]) -> Vec<String> {
    if left_out.is_empty() {
        return asked.to_vec();
    }
    let rest = format!("not test(/{}/)", left_out.join("|"));
    let is_option = |word: &str| matches!(word, "-E" | "--filterset" | "--filter-expr");
    if !asked.iter().any(|word| is_option(word)) {
        return ["-E", &rest].into_iter().map(str::to_owned).chain(asked.iter().cloned()).collect();
    }
    let mut arguments = asked.to_vec();
    for at in 1..arguments.len() {
        if is_option(&asked[at - 1]) {
            arguments[at] = format!("({}) & {rest}", asked[at]);
        }
    }
    arguments
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

#[cfg(test)]
mod tests {
    use super::*;

    fn nextest(asked: &str, left_out: &[&str]) -> Vec<String> {
        nextest_arguments(&asked.split_whitespace().map(str::to_owned).collect::<Vec<_>>(), left_out)
    }

    #[test]
    fn tests_are_left_out_also_of_what_the_user_selects() {
        assert_eq!(nextest("name", &["a", "b"]), ["-E", "not test(/a|b/)", "name"]);
        assert_eq!(nextest("-E test(x)|test(y)", &["a"]), ["-E", "(test(x)|test(y)) & not test(/a/)"]);
        assert_eq!(nextest("-E all()", &[]), ["-E", "all()"]);
    }
}
