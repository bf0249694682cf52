#![allow(unused)]

use celeriac::prelude::*;

#[task(name = "tuple")]
struct Tuple(u64, u64);

#[task(name = "generic")]
struct Generic<T> {
    x: T,
}

#[task(name = "borrowed")]
struct Borrowed<'a> {
    x: &'a str,
}

#[task(name = "enum")]
enum Either {
    A,
    B,
}

#[task(name = "renamed")]
#[serde(rename_all = "camelCase")]
struct Renamed {
    account_id: u64,
}

#[task(name = "shown")]
#[derive(Debug)]
struct Shown {
    #[arg(secret)]
    token: String,
}

#[task(name = "conditional")]
struct Conditional {
    #[cfg(unix)]
    x: u64,
}

fn main() {}
