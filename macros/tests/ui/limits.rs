#![allow(unused)]

use celeriac::prelude::*;

#[task(name = "equal", soft_time_limit = "30s", time_limit = "30s")]
struct Equal;

#[task(name = "above", time_limit = "30s", soft_time_limit = "1m")]
struct Above;

#[task(name = "bare", time_limit = 30)]
struct BareNumber;

#[task(name = "no.unit", time_limit = "30")]
struct NoUnit;

#[task(name = "unit", soft_time_limit = "30 seconds")]
struct Unit;

#[task(name = "negative", deadline = "-5s")]
struct Negative;

#[task(name = "nan", expires = "NaN")]
struct NotANumber;

#[task(name = "zero", expires = "0s")]
struct Zero;

#[task(name = "long", expires = "99999999999999999999d")]
struct Long;

const LIMIT: &str = "30s";

#[task(name = "constant", time_limit = LIMIT)]
struct Constant;

fn main() {}
