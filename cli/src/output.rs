//! Where results go: tables for people, one JSON document for machines.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::Error;

/// How results are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Writes the result: `document` for machines, what `people` returns for people.
    pub(crate) fn show(self, document: &impl Serialize, people: impl FnOnce() -> String) -> Result<(), Error> {
        let text = if self.json {
            let doing = || "can't write the result as JSON".to_owned();
            let mut text = serde_json::to_string_pretty(document)
                .map_err(|fault| Error::Io { doing: doing(), source: fault.into() })?;
            text.push('\n');
            text
        } else {
            people()
        };
        Self::raw(text.as_bytes())
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(bytes: &[u8]) -> Result<(), Error> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Error::io("can't write to standard output"))
    }
}

/// A remark beside the result. It is lost where nobody can read it.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", crate::text::one_line(text));
}

/// Lets a person agree to what destroys; `yes` has agreed already.
///
/// Without a terminal there is nobody to ask, and it is refused.
pub(crate) fn confirm(question: &str, yes: bool) -> Result<(), Error> {
    if yes {
        return Ok(());
    }
    let stdin = io::stdin();
    if !stdin.is_terminal() || !io::stderr().is_terminal() {
        return Err(Error::Usage(format!("{question} Nothing was done: give --yes to do it without being asked")));
    }
    let _ = write!(io::stderr().lock(), "{} [y/N] ", crate::text::one_line(question));
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer).map_err(Error::io("can't read the answer"))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Error::Failed("nothing was done".into())),
    }
}
