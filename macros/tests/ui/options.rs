#![allow(unused)]

use celeriac::prelude::*;

#[task]
async fn no_options() -> Result<(), TaskError> {
    Ok(())
}

#[task(queue = "mail")]
async fn no_name() -> Result<(), TaskError> {
    Ok(())
}

const NAME: &str = "constant";

#[task(name = NAME)]
struct ConstantName;

#[task(name = "")]
struct EmptyName;

#[task(name = "two words")]
struct SpacedName;

#[task(name = "typo", que = "mail")]
struct Typo;

#[task(name = "typo", time_limits = "30s")]
struct LongTypo;

#[task(name = "unknown", colour = "red")]
struct Unknown;

#[task(name = "twice", queue = "a", queue = "b")]
struct Twice;

#[task(name = "alias", aliases = ["a", "alias"])]
struct Alias;

#[task(name = "aliases", aliases = ["a", "a"])]
struct Aliases;

#[task(name = "queue", queue = "a.#")]
struct WildQueue;

#[task(name = "queue", queue = 3)]
struct NumberQueue;

#[task(name = "priority", priority = 10)]
struct Priority;

#[task(name = "priority", priority = -1)]
struct NegativePriority;

#[task(name = "flag", early_ack = "yes")]
struct Flag;

#[task(name = "defaults", defaults = 3)]
struct Defaults;

#[task(name = "derive", derive(Clone))]
struct Derive;

fn main() {}
