//! What a check says, in the one line and the exit code that Nagios, Zabbix and their kin read.

use std::{fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use crate::{Error, text};

/// How something stands, from well to worst: what is known to be bad is told before what is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Ok,
    Unknown,
    Warning,
    Critical,
}

impl State {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }

    pub(super) const fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

/// Beyond what a value is bad: above it, as ranges of the form `10` mean in Nagios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Limits<T> {
    warn: Option<T>,
    crit: Option<T>,
}

impl<T: Copy + PartialOrd> Limits<T> {
    pub(super) const NONE: Self = Self { warn: None, crit: None };

    /// `what` as in `--warn-what`.
    pub(super) fn new(what: &str, warn: Option<T>, crit: Option<T>) -> Result<Self, Error> {
        match (warn, crit) {
            (Some(warn), Some(crit)) if warn > crit => {
                Err(Error::Usage(format!("--warn-{what} is above --crit-{what}, so that it would never warn")))
            }
            _ => Ok(Self { warn, crit }),
        }
    }

    pub(super) fn is_none(&self) -> bool {
        self.warn.is_none() && self.crit.is_none()
    }

    fn judge(&self, value: T) -> (State, Option<T>) {
        let beyond = |limit: Option<T>| limit.filter(|limit| value > *limit);
        match (beyond(self.crit), beyond(self.warn)) {
            (Some(limit), _) => (State::Critical, Some(limit)),
            (None, Some(limit)) => (State::Warning, Some(limit)),
            (None, None) => (State::Ok, None),
        }
    }
}

/// What a check has found so far.
#[derive(Debug)]
pub(super) struct Report {
    service: &'static str,
    /// What was looked at, for whoever reads many such lines.
    subject: String,
    state: State,
    bad: Vec<String>,
    good: Vec<String>,
    perfdata: Vec<String>,
}

impl Report {
    pub(super) fn new(service: &'static str, subject: impl Into<String>) -> Self {
        let subject = subject.into();
        Self { service, subject, state: State::Ok, bad: Vec::new(), good: Vec::new(), perfdata: Vec::new() }
    }

    /// A report of nothing but one thing that is not well.
    pub(super) fn of(service: &'static str, state: State, text: impl Into<String>) -> Self {
        let mut report = Self::new(service, "");
        report.fault(state, text);
        report
    }

    /// What is not well.
    pub(super) fn fault(&mut self, state: State, text: impl Into<String>) {
        self.state = self.state.max(state);
        self.bad.push(text.into());
    }

    /// What is told beside it.
    pub(super) fn remark(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.good.push(text);
        }
    }

    /// A duration by its limits; `told` has it in words.
    pub(super) fn duration(&mut self, label: &str, value: Duration, limits: Limits<Duration>, told: impl Into<String>) {
        self.judge(limits.judge(value), told.into(), text::duration);
        self.data(label, &seconds(value), "s", limits, seconds);
    }

    /// A number by its limits; `told` has it in words.
    pub(super) fn count(&mut self, label: &str, value: u64, limits: Limits<u64>, told: impl Into<String>) {
        self.judge(limits.judge(value), told.into(), |limit: u64| limit.to_string());
        self.data(label, &value.to_string(), "", limits, |limit: u64| limit.to_string());
    }

    /// A value that can't be known, where somebody asked for it: `why` names what would help.
    pub(super) fn unknown(&mut self, label: &str, why: impl Into<String>) {
        self.fault(State::Unknown, why);
        // `U` is how perfdata says so; no unit belongs to it.
        self.perfdata.push(format!("'{label}'=U"));
    }

    /// A number that must not be below `least`.
    pub(super) fn at_least(&mut self, label: &str, value: u64, least: Option<u64>, told: impl Into<String>) {
        let told = told.into();
        match least {
            Some(least) if value < least => {
                self.fault(State::Critical, format!("{told} (at least {least} expected)"));
            }
            _ => self.remark(told),
        }
        let range = least.map(|least| format!("{least}:")).unwrap_or_default();
        self.perfdata.push(format!("'{label}'={value};;{range};0;"));
    }

    fn judge<T>(&mut self, (state, limit): (State, Option<T>), told: String, show: fn(T) -> String) {
        match limit {
            Some(limit) => self.fault(state, format!("{told} (over {})", show(limit))),
            None => self.remark(told),
        }
    }

    fn data<T: Copy>(&mut self, label: &str, value: &str, unit: &str, limits: Limits<T>, show: fn(T) -> String) {
        let limit = |limit: Option<T>| limit.map(show).unwrap_or_default();
        self.perfdata.push(format!("'{label}'={value}{unit};{};{};0;", limit(limits.warn), limit(limits.crit)));
    }

    pub(super) const fn state(&self) -> State {
        self.state
    }

    /// `QUEUE WARNING - what is bad; what else there is | perfdata`, in one line.
    pub(super) fn line(&self) -> String {
        let subject = if self.subject.is_empty() { String::new() } else { format!("{}: ", self.subject) };
        let told = format!("{} {} - {subject}{}", self.service, self.state.word(), self.text());
        // What stands behind the first bar is perfdata, wherever the bar came from.
        let mut line = text::one_line(&told).replace('|', "/");
        if !self.perfdata.is_empty() {
            let _ = write!(line, " | {}", self.perfdata.join(" "));
        }
        line.push('\n');
        line
    }

    fn text(&self) -> String {
        let told: Vec<&str> = self.bad.iter().chain(&self.good).map(String::as_str).collect();
        told.join("; ")
    }

    pub(super) fn document(&self) -> Value {
        json!({
            "service": self.service,
            "subject": self.subject,
            "state": self.state.word(),
            "exit_code": self.state.exit_code(),
            "text": self.text(),
            "perfdata": self.perfdata.join(" "),
        })
    }
}

/// Seconds as perfdata has them: to the millisecond, without zeros that say nothing.
fn seconds(duration: Duration) -> String {
    let text = format!("{:.3}", duration.as_secs_f64());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn age(value: Duration) -> Report {
        let limits = Limits::new("age", Some(at(60)), Some(at(300))).unwrap();
        let mut report = Report::new("QUEUE", "mail");
        report.duration("oldest", value, limits, format!("the oldest waits {}", text::rough(value)));
        report
    }

    #[test]
    fn a_value_is_bad_above_its_limit_and_not_at_it() {
        let states = [60, 61, 300, 301].map(|seconds| age(at(seconds)).state());
        assert_eq!(states, [State::Ok, State::Warning, State::Warning, State::Critical]);
    }

    #[test]
    fn the_line_has_what_is_bad_first_and_perfdata_with_unit_and_limits() {
        let mut report = age(Duration::from_millis(432_100));
        report.count("ready", 12, Limits::new("depth", None, Some(100)).unwrap(), "12 ready");
        assert_eq!(
            report.line(),
            "QUEUE CRITICAL - mail: the oldest waits 7m12s (over 5m); 12 ready | 'oldest'=432.1s;60;300;0; 'ready'=12;;100;0;\n"
        );
        assert_eq!(report.state().exit_code(), 2);
    }

    #[test]
    fn what_is_not_known_is_u_and_hides_nothing_that_is_known_to_be_bad() {
        let mut report = Report::new("QUEUE", "mail");
        report.unknown("oldest", "nobody tells the age");
        assert_eq!(report.line(), "QUEUE UNKNOWN - mail: nobody tells the age | 'oldest'=U\n");
        report.count("ready", 2, Limits::new("depth", Some(1), None).unwrap(), "2 ready");
        assert_eq!(report.state(), State::Warning);
    }

    #[test]
    fn too_few_is_critical_and_has_a_range_that_is_open_above() {
        let mut report = Report::new("QUEUE", "mail");
        report.at_least("consumers", 0, Some(1), "no consumer");
        assert_eq!(report.line(), "QUEUE CRITICAL - mail: no consumer (at least 1 expected) | 'consumers'=0;;1:;0;\n");
    }

    #[test]
    fn nothing_that_others_wrote_breaks_the_line_or_passes_for_perfdata() {
        let report = Report::of("LOCKS", State::Warning, "held by a|b\n'x'=0");
        assert_eq!(report.line(), "LOCKS WARNING - held by a/b 'x'=0\n");
    }

    #[test]
    fn a_warning_that_could_never_come_is_refused() {
        assert!(Limits::new("age", Some(2), Some(1)).is_err());
        assert!(Limits::new("age", Some(1), Some(1)).is_ok());
    }

    #[test]
    fn seconds_have_no_zeros_that_say_nothing() {
        let shown = [0, 10_000, 1500, 1].map(|millis| seconds(Duration::from_millis(millis)));
        assert_eq!(shown, ["0", "10", "1.5", "0.001"]);
    }
}
