//! The command line.

use crate::{Failure, measure::Settings};

/// What to run, and how to show it.
pub(crate) struct Arguments {
    pub(crate) names: Vec<String>,
    pub(crate) settings: Settings,
    pub(crate) json: bool,
}

impl Arguments {
    pub(crate) fn parse(words: &[String], known: &[&str]) -> Result<Self, Failure> {
        let (mut names, mut settings, mut json) = (Vec::new(), Settings::default(), false);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--quick" => settings = Settings::quick(),
                "--json" => json = true,
                "--blocks" => settings.blocks = words.next().ok_or("--blocks how many?")?.parse()?,
                name if known.contains(&name) => names.push(name.to_owned()),
                unknown => return Err(format!("what is `{unknown}`? The benchmarks are {}", known.join(", ")).into()),
            }
        }
        if names.is_empty() {
            names = known.iter().map(ToString::to_string).collect();
        }
        Ok(Self { names, settings, json })
    }
}
