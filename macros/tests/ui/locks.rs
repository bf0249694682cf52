#![allow(unused)]

use celeriac::prelude::*;

#[task(name = "unknown", mutex(acount_id))]
struct UnknownArgument {
    account_id: u64,
}

#[task(name = "none", mutex(account_id))]
struct NoArguments;

#[task(name = "zero", semaphore("dms", leases = 0))]
struct NoLeases;

#[task(name = "missing", semaphore("dms"))]
struct MissingLeases;

#[task(name = "short", mutex(ttl = "50ms"))]
struct ShortTtl;

#[task(name = "bare", mutex(ttl = 15))]
struct BareTtl;

#[task(name = "busy", mutex(busy = ignore))]
struct UnknownPolicy;

#[task(name = "quoted", mutex(busy = "skip"))]
struct QuotedPolicy;

#[task(name = "wait", mutex(busy = wait))]
struct WaitHowLong;

#[task(name = "secret", mutex(token))]
struct SecretKey {
    #[arg(secret)]
    token: String,
}

#[task(name = "heavy", semaphore("dms", leases = 3, weight = 4))]
struct HeavierThanAll;

#[task(name = "weightless", semaphore("dms", leases = 3, weight = 0))]
struct Weightless;

#[task(name = "weight", semaphore("dms", leases = 3, weight = costs))]
struct UnknownWeight {
    cost: u32,
}

#[task(name = "positional", semaphore(dealer, leases = 3))]
struct PositionalKey {
    dealer: String,
}

#[task(name = "named", mutex("file", file))]
struct NamedWithoutKey {
    file: String,
}

#[task(name = "leases", mutex(leases = 3))]
struct MutexWithLeases;

#[task(name = "rate", rate("10 per second"))]
struct NoRate;

#[task(name = "pace", rate("10/w"))]
struct UnknownUnit;

#[task(name = "fast", rate("2000000/s"))]
struct TooFast;

#[task(name = "paceless", rate("dms"))]
struct Paceless;

#[task(name = "burst", rate("10/s", burst = 0))]
struct NoBurst;

#[task(name = "twice", mutex(file), mutex(file))]
struct Twice {
    file: String,
}

#[task(name = "part", mutex(file, file))]
struct SamePart {
    file: String,
}

#[task(name = "differ", semaphore("dms", key = from, leases = 3), semaphore("dms", key = to, leases = 2))]
struct Differ {
    from: String,
    to: String,
}

#[task(name = "expression", mutex("file", key = file.len()))]
struct Expression {
    file: String,
}

#[task(name = "check", check = is_needed)]
struct CheckedContract;

fn main() {}
