use serde_json::{Map, Value};

use super::Request;
use crate::Arg;

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
}

impl Request {
    /// Binds the arguments as Python does: by position in the order of `parameters`, and by name.
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
        match parameters.iter().find(|parameter| parameter.required && !bound.contains_key(parameter.name)) {
            Some(parameter) => Err(BindError::Missing(parameter.name)),
            None => Ok(bound),
        }
    }
}
