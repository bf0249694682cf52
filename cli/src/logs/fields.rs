//! What spans and events say, by name.

use std::{error::Error, fmt};

use serde_json::Value as Json;
use tracing::field::{Field, Visit};

/// Fields in the order in which they came; one that comes again takes its own place.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(&'static str, Value)>);

/// What a field says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A number or a boolean.
    Plain(Json),
    /// A text.
    Text(String),
    /// What its `Display` or its `Debug` shows.
    Shown(String),
}

impl Fields {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn set(&mut self, field: &Field, value: Value) {
        let name = field.name();
        // For exporters of traces alone.
        if name.starts_with("otel.") {
            return;
        }
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some(slot) => slot.1 = value,
            None => self.0.push((name, value)),
        }
    }
}

impl Value {
    /// As a JSON value.
    pub(super) fn json(&self) -> Json {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Text(text) | Self::Shown(text) => text.as_str().into(),
        }
    }

    /// The text, where it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Plain(_) => None,
            Self::Text(text) | Self::Shown(text) => Some(text),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, Value::Plain(value.into()));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, Value::Plain(value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, Value::Plain(value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, Value::Plain(value.into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, Value::Text(value.to_owned()));
    }

    /// An error and what is behind it.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            text.push_str(": ");
            text.push_str(&error.to_string());
            source = error.source();
        }
        self.set(field, Value::Shown(text));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, Value::Shown(format!("{value:?}")));
    }
}
