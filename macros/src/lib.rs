//! The `#[task]` attribute.
//!
//! | module | holds |
//! |---|---|
//! | `options` | what stands in `#[task(..)]` |
//! | `parameter` | one argument: its type, and what stands in `#[arg(..)]` |
//! | `function`, `structure` | what the attribute stands on, checked |
//! | `contract`, `handler` | the generated code |
//!
//! Generated code names nothing but `::celeriac::__private` (or another crate's, by `crate = path`).

mod contract;
mod function;
mod handler;
mod options;
mod owned;
mod parameter;
mod structure;
mod suggest;

use proc_macro::TokenStream;
use syn::{Item, parse_macro_input, spanned::Spanned as _};

/// Makes a task of an async fn, or the contract of a task of a struct.
///
/// # On an async fn
/// The function stays as it is written, and callable: a unit test needs no broker. Beside it stands a struct named as the
/// function in `UpperCamelCase`, with one field for each argument, that implements `Task` (what a producer needs) and
/// `Handler` (what a worker needs).
///
/// ```
/// use celeriac::{Context, TaskError, task};
///
/// #[task(name = "math.add", queue = "math", soft_time_limit = "20s", time_limit = "30s")]
/// pub async fn add(ctx: Context<()>, x: i64, #[arg(default)] y: i64) -> Result<i64, TaskError> {
///     Ok(x + y)
/// }
///
/// # use celeriac::Task as _;
/// assert_eq!(Add::NAME, "math.add");
/// let task = Add { x: 2, y: 3 };   // broker.publish(task).await?
/// # let _ = (task.x, task.y);
/// ```
///
/// - `ctx: Context<S>` may stand first, where `S` is the worker's state. Without it the task runs in any worker.
/// - Arguments are owned types that serde reads and writes and that implement `Debug`.
///   `Option<T>` may be missing in a message; so may one with `#[arg(default)]` or `#[arg(default = 5)]`.
///   `#[arg(secret)]` is never shown: not in `argsrepr`, logs, listings or the struct's `Debug`, whose bound it need not meet.
/// - It returns `Result<T, E>`. `T` is the task's output; `E` is `TaskError`, or any error.
///
/// # On a struct
/// It writes the contract alone, for a crate that producers and workers share. The struct's fields are the arguments;
/// `output = Type` names what a run returns, `()` by default.
///
/// ```
/// # use celeriac::task;
/// #[task(name = "mail.send", queue = "mail", output = u32)]
/// pub struct SendMail {
///     pub to: String,
///     #[arg(secret)]
///     pub token: String,
/// }
/// # use celeriac::{Context, Handler, TaskError};
///
/// // in the worker's crate; the state is a type of its own, since `()` and the task both belong to others
/// struct Mailer;
///
/// impl Handler<Mailer> for SendMail {
///     async fn run(self, _ctx: Context<Mailer>) -> Result<u32, TaskError> {
///         Ok(250)
///     }
/// }
/// ```
///
/// # Options
/// | option | meaning | default |
/// |---|---|---|
/// | `name = "billing.charge"` | the name on the wire, 1 to 255 bytes; it never changes | required |
/// | `queue = "billing"` | where it is published; text, or a constant | `"celeriac"` |
/// | `aliases = ["old.name"]` | names under which messages may still arrive | none |
/// | `soft_time_limit = "20s"` | when a run is asked to stop; less than `time_limit` | never |
/// | `time_limit = "30s"` | when a run is stopped | never |
/// | `deadline = "1h"` | total time from publishing after which no attempt starts | none |
/// | `expires = "10m"` | how long after publishing it is worth running | always |
/// | `priority = 5` | 0 (lowest) to 9 | 0 |
/// | `early_ack` | acknowledged before the run: at most once | at least once |
/// | `retry(max_attempts = 5, backoff = "1s..5m", jitter = full)` | how it is retried; jitter is `none`, `equal`, `full` or `decorrelated` | 4 attempts, `"1s..5m"`, `full` |
/// | `retry = POLICY` | the same as a `RetryPolicy` | |
/// | `mutex`, `mutex(..)`, `semaphore(..)`, `rate(..)` | what a run must hold; see below; several of each | nothing |
/// | `check = path` | a function that is asked before each run; see below | none |
/// | `tags(company, region)` | arguments that are shown: in logs, traces and reports, and as the message's tags | none are |
/// | `defaults = DMS` | a family's `TaskOptions`, used where this task sets nothing | none |
/// | `allow_unknown` | ignores unknown arguments, for rolling deploys | rejects them |
/// | `output = Type` | on a struct: what a run returns | `()` |
/// | `derive(Clone)` | on a function: further derives for the struct | none |
/// | `crate = path` | where `celeriac` is found | `::celeriac` |
///
/// Durations are a number and one of the units `ms`, `s`, `m`, `h`, `d`. A flag may be written `early_ack = false`, to
/// differ from the family's defaults.
///
/// # Locks
/// A worker takes a task's locks before the run and releases them after it. Calling the function takes none.
///
/// ```
/// # use celeriac::{TaskError, task};
/// #[task(
///     name = "stock.import",
///     mutex(file),                                              // one import of a file at a time
///     semaphore("dms", key = dealer, leases = 3, weight = cost), // at most 3 calls at once to a dealer, whatever the task
///     rate("dms", key = dealer, "10/s", burst = 5),
/// )]
/// async fn import(file: String, dealer: String, cost: u32) -> Result<(), TaskError> {
///     Ok(())
/// }
/// ```
///
/// | lock | held by |
/// |---|---|
/// | `mutex` | one run of the task |
/// | `mutex(account_id)`, `mutex(account_id, region)` | one run of the task with these arguments |
/// | `mutex("file", key = file)`, `mutex("file", key = (folder, file))` | one run of any task that names it, with this key |
/// | `semaphore("dms", key = dealer, leases = 3)` | three runs of any tasks that name it, with this key |
/// | `semaphore(key = dealer, leases = 3)`, `semaphore(leases = 3)` | three runs of this task |
/// | `rate("10/s")`, `rate(key = dealer, "10/s")`, `rate("dms", key = dealer, "10/s", burst = 5)` | nobody: runs start at most so often |
///
/// A key is made of arguments that are text, integers, booleans or ids (`LockPart`). An `Option` that is `None` takes no lock. It is
/// shown to operators, so a secret argument can't be part of one.
///
/// | option of a lock | meaning | default |
/// |---|---|---|
/// | `leases = 3` | how many there are, a number or a constant; what the store knows already wins | required for `semaphore` |
/// | `weight = 2`, `weight = cost` | how many of them one run takes, or how much of a rate it spends; a number or an argument, where 0 takes nothing | 1 |
/// | `ttl = "15s"` | how long a lease outlives its worker's last renewal, at least 100 ms | 15 s |
/// | `busy = defer` | given back with its place in line kept; no slot, no attempt | `defer` |
/// | `busy = wait("10s")` | waits in its slot, and is deferred then | |
/// | `busy = skip` | not run: the outcome is `skipped` | |
/// | `busy = fail` | a failed attempt | |
/// | `burst = 5` | of a rate: how many may start at once after a silence | 1 |
///
/// A lock is found in the handler by its name, or by its arguments: `ctx.lease("dms")`, `ctx.lease("account_id")`,
/// `ctx.lease("account_id,region")`; a `mutex` of the whole task by `ctx.lease("mutex")`.
///
/// # Check
/// `check = path` names an async function that is asked before each run, when the locks are held. It takes the task, and the context
/// where the task's function takes one, by reference, and returns a `Check` or a `Result<Check, E>`.
///
/// ```
/// # use celeriac::{Check, TaskError, task};
/// #[task(name = "report.build", mutex(day), check = is_needed)]
/// async fn build_report(day: String) -> Result<(), TaskError> {
///     Ok(())
/// }
///
/// async fn is_needed(task: &BuildReport) -> Check {
///     if task.day == "2024-02-30" { Check::skip("there was no such day") } else { Check::Run }
/// }
/// ```
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    let item = parse_macro_input!(item as Item);
    match item {
        Item::Fn(function) => function::expand(options.into(), function),
        Item::Struct(structure) => structure::expand(options.into(), structure),
        other => syn::Error::new(other.span(), "`#[task]` stands on an async fn or on a struct").into_compile_error(),
    }
    .into()
}
