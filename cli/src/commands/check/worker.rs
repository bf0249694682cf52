use std::time::Instant;

use super::{
    Patience, bounded,
    probe::{self, Answer},
    verdict::{Limits, Report, State},
};
use crate::{Error, config::parse, session::Session, text};

pub(super) const SERVICE: &str = "WORKER";

const WELL: u16 = 200;
const UNWELL: u16 = 503;

/// `celeriac check worker`
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Check {
    /// Where the worker serves /metrics and its probes [default: that of the settings].
    #[arg(long, value_name = "ADDRESS", value_parser = parse::address)]
    addr: Option<String>,
    #[command(flatten)]
    patience: Patience,
}

impl Check {
    pub(super) async fn run(&self, session: &Session) -> Result<Report, Error> {
        let set = || session.config.all().metrics_addr.map(|address| address.value);
        let address = self.addr.clone().or_else(set).ok_or_else(|| {
            Error::Usage(
                "no address is named: give --addr the one that the worker has as --metrics-addr, such as 127.0.0.1:9464"
                    .into(),
            )
        })?;
        Ok(bounded(SERVICE, &format!("the worker at {address}"), &self.patience, look(&address)).await)
    }
}

async fn look(address: &str) -> Result<Report, Error> {
    let begun = Instant::now();
    let mut report = Report::new(SERVICE, address);
    let live = ask(address, "/livez").await?;
    tell(&live, State::Critical, &mut report);
    if live.status == WELL {
        let ready = ask(address, "/readyz").await?;
        // A worker that has not begun yet has not failed.
        let unready = match ready.status {
            UNWELL if ask(address, "/startupz").await?.status == UNWELL => State::Warning,
            _ => State::Critical,
        };
        tell(&ready, unready, &mut report);
    }
    let took = begun.elapsed();
    report.duration("time", took, Limits::NONE, format!("answered in {}", text::short(took)));
    Ok(report)
}

async fn ask(address: &str, path: &str) -> Result<Answer, Error> {
    let answer = probe::ask(address, path).await.map_err(|fault| {
        Error::Failed(format!(
            "the worker at {address} can't be asked: {fault}; does it run, with --metrics-addr {address}?"
        ))
    })?;
    if [WELL, UNWELL].contains(&answer.status) {
        return Ok(answer);
    }
    Err(Error::Usage(format!(
        "{address} answers {path} with the status {}, which no worker does: is it the address of --metrics-addr?",
        answer.status
    )))
}

/// Every part of an answer; those that are not well first.
fn tell(answer: &Answer, unwell: State, report: &mut Report) {
    let mut told = false;
    for part in &answer.parts {
        if answer.status == WELL || part.ends_with(": ok") {
            report.remark(part.as_str());
        } else {
            told = true;
            report.fault(unwell, part.as_str());
        }
    }
    if answer.status == UNWELL && !told {
        report.fault(unwell, "it says that it is not well, and not why");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_well_is_told_and_a_worker_that_does_not_say_why_is_not_well_either() {
        let told = |status, parts: &[&str]| {
            let mut report = Report::new(SERVICE, "w:1");
            let parts = parts.iter().map(|part| (*part).to_owned()).collect();
            tell(&Answer { status, parts }, State::Critical, &mut report);
            report.line()
        };
        assert_eq!(told(200, &["consumers: ok", "broker: ok"]), "WORKER OK - w:1: consumers: ok; broker: ok\n");
        assert_eq!(
            told(503, &["consumers: ok", "broker: no answer"]),
            "WORKER CRITICAL - w:1: broker: no answer; consumers: ok\n"
        );
        assert!(told(503, &[]).starts_with("WORKER CRITICAL"));
    }
}
