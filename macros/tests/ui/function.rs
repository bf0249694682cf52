#![allow(unused)]

use celeriac::prelude::*;

#[task(name = "not.async")]
fn not_async(x: u64) -> Result<(), TaskError> {
    Ok(())
}

#[task(name = "no.result")]
async fn no_result(x: u64) {}

#[task(name = "other.result")]
async fn other_result(x: u64) -> Option<u64> {
    None
}

#[task(name = "generic")]
async fn generic<T>(x: T) -> Result<(), TaskError> {
    Ok(())
}

#[task(name = "bounded")]
async fn bounded(x: u64) -> Result<(), TaskError>
where
    u64: Copy,
{
    Ok(())
}

#[task(name = "borrowed.output")]
async fn borrowed_output(x: u64) -> Result<&'static str, TaskError> {
    Ok("")
}

#[task(name = "output", output = u64)]
async fn output(x: u64) -> Result<u64, TaskError> {
    Ok(x)
}

struct NoError;

#[task(name = "error")]
async fn error(x: u64) -> Result<u64, NoError> {
    Ok(x)
}

struct Shop;

impl Shop {
    #[task(name = "method")]
    async fn method(&self, x: u64) -> Result<(), TaskError> {
        Ok(())
    }
}

#[task(name = "constant")]
const CONSTANT: u64 = 3;

fn main() {}
