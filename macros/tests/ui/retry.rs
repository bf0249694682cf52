#![allow(unused)]

use celeriac::prelude::*;

#[task(name = "never", retry(max_attempts = 0))]
struct Never;

#[task(name = "range", retry(backoff = "5m"))]
struct NoRange;

#[task(name = "order", retry(backoff = "5m..1s"))]
struct Order;

#[task(name = "unit", retry(backoff = "1..5m"))]
struct Unit;

#[task(name = "zero", retry(backoff = "0s..5m"))]
struct Zero;

#[task(name = "cap", retry(backoff = "1s..301d"))]
struct Cap;

#[task(name = "jitter", retry(jitter = fulll))]
struct Jitter;

#[task(name = "text", retry(jitter = "full"))]
struct TextJitter;

#[task(name = "option", retry(attempts = 3))]
struct Unknown;

#[task(name = "twice", retry(max_attempts = 3, max_attempts = 4))]
struct Twice;

#[task(name = "policy", retry = 3)]
struct Policy;

fn main() {}
