use std::borrow::Cow;

use serde::Serialize;

use crate::{Arg, Error, Task, TaskOptions, message::python};

/// What every body ends with: no callbacks, no error callbacks, no chain, no chord.
const EMBED: &[u8] = br#", {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]"#;

/// A task and its arguments, encoded.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) task: Cow<'static, str>,
    pub(super) options: TaskOptions,
    pub(super) args_repr: Cow<'static, str>,
    pub(super) kwargs_repr: String,
    /// `[args, kwargs, embed]`.
    pub(super) body: Vec<u8>,
}

impl Call {
    pub(super) fn typed<T: Task>(task: &T) -> Result<Self, Error> {
        let mut call = Self::encode(T::NAME.into(), &(), task, T::ARGS)?;
        call.options = T::options();
        Ok(call)
    }

    pub(super) fn untyped(name: String, args: &impl Serialize, kwargs: &impl Serialize) -> Result<Self, Error> {
        Self::encode(name.into(), args, kwargs, &[])
    }

    /// One pass from the arguments to the body's bytes; what people read is made from those.
    fn encode(
        task: Cow<'static, str>,
        args: &impl Serialize,
        kwargs: &impl Serialize,
        parameters: &[Arg],
    ) -> Result<Self, Error> {
        let mut body = Vec::with_capacity(256);
        body.push(b'[');
        let args_at = body.len();
        let args_given = part(&mut body, args, *b"[]", &task, "the positional arguments are no list")?;
        let args_end = body.len();
        body.extend_from_slice(b", ");
        let kwargs_at = body.len();
        part(&mut body, kwargs, *b"{}", &task, "it is not a struct with named fields, or a map from text")?;
        let args_repr =
            if args_given { python::args_repr(&body[args_at..args_end]).into() } else { Cow::Borrowed("()") };
        let kwargs_repr = python::kwargs_repr(&body[kwargs_at..], parameters);
        body.extend_from_slice(EMBED);
        Ok(Self { task, options: TaskOptions::new(), args_repr, kwargs_repr, body })
    }
}

/// Appends `value`, or `empty` in the stead of null, and says whether there was a value.
fn part(body: &mut Vec<u8>, value: &impl Serialize, empty: [u8; 2], task: &str, fault: &str) -> Result<bool, Error> {
    let at = body.len();
    let encode = |source: Box<dyn std::error::Error + Send + Sync>| Error::Encode { task: task.to_owned(), source };
    serde_json::to_writer(&mut *body, value).map_err(|fault| encode(fault.into()))?;
    if &body[at..] == b"null" {
        body.truncate(at);
        body.extend_from_slice(&empty);
        return Ok(false);
    }
    if body.get(at) == Some(&empty[0]) { Ok(true) } else { Err(encode(fault.into())) }
}
