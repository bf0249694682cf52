//! One line of log: an event, and the spans that it is in.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

use celeriac_broker::message::Tags;
use serde_json::{Map, Value as Json};
use tracing::{Level, Metadata};

use super::fields::{Fields, Value};

/// What every line has; the fields of others give way.
const OWN: [&str; 4] = ["timestamp", "level", "target", "message"];

/// An event, and the spans that it is in.
pub(super) struct Line<'a> {
    pub(super) timestamp: &'a str,
    pub(super) metadata: &'a Metadata<'a>,
    pub(super) event: &'a Fields,
    /// From the outermost.
    pub(super) spans: &'a [(&'static Metadata<'static>, &'a Fields)],
}

impl Line<'_> {
    /// The fields of the run that the event belongs to.
    fn run(&self) -> Option<&Fields> {
        let is_run = |metadata: &Metadata<'_>| {
            metadata.name() == "celeriac.run" && metadata.target().starts_with("celeriac_worker")
        };
        self.spans.iter().rev().find(|(metadata, _)| is_run(metadata)).map(|(_, fields)| *fields)
    }

    /// One flat JSON object. The fields of a run keep their names whatever else is said: what differs is put under
    /// `fields.<name>`. Elsewhere the event's own come first, and those of inner spans before those of outer ones.
    pub(super) fn json(&self) -> String {
        let mut object = Object(vec![
            (OWN[0].into(), self.timestamp.into()),
            (OWN[1].into(), self.metadata.level().as_str().into()),
            (OWN[2].into(), self.metadata.target().into()),
        ]);
        object.0.extend(self.event.get(OWN[3]).map(|message| (OWN[3].into(), message.json())));
        let run = self.run();
        for (name, value) in run.into_iter().flat_map(Fields::iter) {
            let value = if name == "tags" { tags(value.text().unwrap_or_default()) } else { value.json() };
            object.0.push((name.into(), value));
        }
        let kept = |name: &str| OWN.contains(&name) || run.is_some_and(|run| run.get(name).is_some());
        let event = self.event.iter().filter(|(name, _)| *name != OWN[3]);
        let spans = self
            .spans
            .iter()
            .rev()
            .map(|(_, fields)| *fields)
            .filter(|fields| !run.is_some_and(|run| std::ptr::eq(run, *fields)));
        for (name, value) in event.chain(spans.flat_map(Fields::iter)) {
            object.add(name, value.json(), kept(name));
        }
        object.to_string()
    }

    /// For people: level, spans with their fields, target, message, and the event's own fields but for those that its run says.
    pub(super) fn pretty(&self, ansi: bool) -> String {
        let paint = |code: &'static str| if ansi { code } else { "" };
        let (dim, bold, plain) = (paint("\x1b[2m"), paint("\x1b[1m"), paint("\x1b[0m"));
        let level = *self.metadata.level();
        let colour = paint(colour(level));
        let mut line = format!("{dim}{}{plain} {colour}{:>5}{plain} ", self.timestamp, level.as_str());
        for (metadata, fields) in self.spans {
            let _ = write!(line, "{bold}{}{plain}", metadata.name());
            if fields.iter().next().is_some() {
                line.push('{');
                append(&mut line, fields.iter());
                line.push('}');
            }
            line.push(':');
        }
        let space = if self.spans.is_empty() { "" } else { " " };
        let _ = write!(line, "{space}{dim}{}:{plain} ", self.metadata.target());
        let run = self.run();
        let message = self.event.get(OWN[3]);
        if let Some(text) = message.and_then(Value::text) {
            escape(&mut line, text);
        }
        let told = |name: &str, value: &Value| {
            run.and_then(|run| run.get(name)).is_some_and(|known| known.json() == value.json())
        };
        let mut own = self.event.iter().filter(|(name, value)| *name != OWN[3] && !told(name, value)).peekable();
        if message.is_some() && own.peek().is_some() {
            line.push(' ');
        }
        append(&mut line, own);
        line
    }
}

/// The fields of a JSON object, in their order.
struct Object(Vec<(Cow<'static, str>, Json)>);

impl Object {
    /// Adds a field, under another name where its own is kept for what is there.
    fn add(&mut self, name: &'static str, value: Json, kept: bool) {
        let is_there = |object: &Self, name: &str| object.0.iter().any(|(known, _)| known == name);
        if !kept {
            if !is_there(self, name) {
                self.0.push((name.into(), value));
            }
            return;
        }
        let other = format!("fields.{name}");
        if !self.0.contains(&(name.into(), value.clone())) && !is_there(self, &other) {
            self.0.push((other.into(), value));
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        for (index, (name, value)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}:{value}", Json::from(name.as_ref()))?;
        }
        f.write_char('}')
    }
}

/// `{"company": "eu-7", "urgent": true}`.
fn tags(text: &str) -> Json {
    let Ok(tags) = text.parse::<Tags>();
    let value = |value: Option<&str>| value.map_or(Json::Bool(true), Json::from);
    tags.iter().map(|(key, text)| (key.to_owned(), value(text))).collect::<Map<_, _>>().into()
}

fn append<'a>(line: &mut String, fields: impl Iterator<Item = (&'static str, &'a Value)>) {
    for (index, (name, value)) in fields.enumerate() {
        let _ = write!(line, "{}{name}=", if index == 0 { "" } else { " " });
        match value {
            Value::Plain(value) => {
                let _ = write!(line, "{value}");
            }
            Value::Text(text) => {
                let _ = write!(line, "{text:?}");
            }
            Value::Shown(text) => escape(line, text),
        }
    }
}

/// A line stays one, and a terminal is told nothing.
fn escape(line: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
}

const fn colour(level: Level) -> &'static str {
    match level {
        Level::ERROR => "\x1b[31m",
        Level::WARN => "\x1b[33m",
        Level::INFO => "\x1b[32m",
        Level::DEBUG => "\x1b[34m",
        Level::TRACE => "\x1b[35m",
    }
}
