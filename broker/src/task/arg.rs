/// One parameter of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arg {
    /// Its name, as keyword callers write it.
    pub name: &'static str,
    /// Whether a message without it is rejected.
    pub required: bool,
    /// Whether its value is replaced by `'***'` in `argsrepr`, logs and listings.
    pub secret: bool,
}

impl Arg {
    /// A parameter that every message must carry.
    pub const fn required(name: &'static str) -> Self {
        Self { name, required: true, secret: false }
    }

    /// A parameter that a message may leave out: `Option<T>`, or one with a default.
    pub const fn optional(name: &'static str) -> Self {
        Self { name, required: false, secret: false }
    }

    /// The same parameter, its value never shown.
    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }
}
