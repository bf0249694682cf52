//! A named unit of work with typed arguments, and what stands beside it.

mod arg;
mod error;
mod hooks;
mod id;
mod lock;
mod options;

pub use arg::Arg;
pub use error::{Disposition, TaskError};
pub use hooks::{Event, Hooks};
pub use id::TaskId;
pub use lock::{Busy, DeclaredLock, LockKind, LockPart, LockSpec, LockWeight, Pace};
pub use options::TaskOptions;

use serde::{Serialize, de::DeserializeOwned};

/// A named unit of work with typed arguments: what a producer and a worker agree on.
///
/// The implementing type holds the arguments, one named field each. `#[task]` writes this; by hand it is six lines:
///
/// ```
/// use celeriac_broker::{Arg, Task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Add { x: i64, y: i64 }
///
/// impl Task for Add {
///     const NAME: &'static str = "math.add";
///     const ARGS: &'static [Arg] = &[Arg::required("x"), Arg::required("y")];
///     type Output = i64;
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a task",
    note = "write `#[task(name = \"..\")]` on the function or the struct, and pass the struct that it generates"
)]
pub trait Task: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name on the wire. It outlives the code that has it: rename the type, never the task.
    const NAME: &'static str;

    /// Names under which messages already in flight may still arrive.
    const ALIASES: &'static [&'static str] = &[];

    /// The parameters in positional order, as a Python caller would pass them.
    const ARGS: &'static [Arg];

    /// Whether arguments beyond [`ARGS`](Self::ARGS) are ignored instead of rejected; for rolling deploys.
    const ALLOW_UNKNOWN: bool = false;

    /// What a successful run returns.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// Where it is published, its limits and its retry policy.
    fn options() -> TaskOptions {
        TaskOptions::new()
    }

    /// What is known of [`locks`](Self::locks) before there are arguments: a worker that has no store for locks refuses to start
    /// with a task that declares one, and `ctx.semaphore(name, key)` finds here how many leases there are.
    const LOCKS: &'static [DeclaredLock] = &[];

    /// The locks that a run of these arguments must hold, as plain data, so that a publisher can know them too.
    ///
    /// Whatever their order, they are taken in one order that all tasks share; two of one address are one, with the larger weight.
    fn locks(&self) -> Vec<LockSpec> {
        Vec::new()
    }

    /// What its message and its runs are tagged with: keys and values, to be read by people. No argument is shown that is not here.
    fn tags(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
