use serde_json::{Map, Value};

use super::{Request, typed::simplify};
use crate::{Arg, Task};

/// Why arguments do not fit a task's parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// More positional arguments than parameters.
    #[error("{given} positional arguments, and the task takes {takes}")]
    TooMany {
        /// How many came.
        given: usize,
        /// How many it takes.
        takes: usize,
    },
    /// A parameter without a value.
    #[error("the argument `{0}` is missing")]
    Missing(&'static str),
    /// One parameter given twice.
    #[error("the argument `{0}` is given by position and by name")]
    Doubled(&'static str),
    /// A name that is no parameter.
    #[error("the argument `{0}` is unknown")]
    Unknown(String),
    /// A value that its parameter's type can't be read from.
    #[error("the arguments do not have the task's types: {0}")]
    Type(String),
}

impl Request {
    /// Binds the arguments as Python does: by position in the order of `parameters`, and by name.
    ///
    /// Python's dates, times, UUIDs and decimals become the strings that jiff, chrono, uuid and `rust_decimal` read.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind(&self, parameters: &[Arg], allow_unknown: bool) -> Result<Map<String, Value>, BindError> {
        if self.args.len() > parameters.len() && !allow_unknown {
            return Err(BindError::TooMany { given: self.args.len(), takes: parameters.len() });
        }
        let mut bound = Map::with_capacity(parameters.len());
        for (parameter, value) in parameters.iter().zip(&self.args) {
            bound.insert(parameter.name.to_owned(), value.clone());
        }
        for (name, value) in &self.kwargs {
            match parameters.iter().find(|parameter| parameter.name == name) {
                Some(parameter) if bound.contains_key(parameter.name) => {
                    return Err(BindError::Doubled(parameter.name));
                }
                Some(parameter) => {
                    bound.insert(parameter.name.to_owned(), value.clone());
                }
                None if allow_unknown => {}
                None => return Err(BindError::Unknown(name.clone())),
            }
        }
        bound.values_mut().for_each(simplify);
        match parameters.iter().find(|parameter| parameter.required && !bound.contains_key(parameter.name)) {
            Some(parameter) => Err(BindError::Missing(parameter.name)),
            None => Ok(bound),
        }
    }

    /// Reads bound arguments as a task.
    ///
    /// # Errors
    /// [`BindError::Type`]. Its text repeats no value where a secret parameter has one: serde's errors quote what they
    /// could not read, and the text ends in a dead letter.
    pub fn task_of<T: Task>(bound: Map<String, Value>) -> Result<T, BindError> {
        let secret = T::ARGS.iter().any(|parameter| parameter.secret && bound.contains_key(parameter.name));
        T::deserialize(Value::Object(bound)).map_err(|fault| {
            BindError::Type(if secret {
                "a secret is among them, so no more is said".to_owned()
            } else {
                fault.to_string()
            })
        })
    }
}
