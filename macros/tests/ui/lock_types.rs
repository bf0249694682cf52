#![allow(unused)]

use celeriac::prelude::*;

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Dealer;

#[task(name = "float", mutex(price))]
struct FloatKey {
    price: f64,
}

#[task(name = "own", mutex("dealer", key = dealer))]
struct OwnKey {
    dealer: Dealer,
}

#[task(name = "optional", mutex(price))]
struct OptionalFloatKey {
    price: Option<f32>,
}

#[task(name = "weight", semaphore("dms", leases = 3, weight = cost))]
struct TextWeight {
    cost: String,
}

#[task(name = "tag", tags(price))]
struct FloatTag {
    price: f64,
}

#[task(name = "check", check = is_needed)]
async fn checked() -> Result<(), TaskError> {
    Ok(())
}

async fn is_needed(_: &Checked) -> bool {
    true
}

fn main() {}
