#![allow(unused)]

use celeriac::prelude::*;

#[task(name = "reference")]
async fn reference(text: &str, bytes: &[u8], path: &std::path::Path, number: &u64) -> Result<(), TaskError> {
    Ok(())
}

#[task(name = "nested.reference")]
async fn nested_reference(text: Option<&'static str>) -> Result<(), TaskError> {
    Ok(())
}

#[task(name = "impl.trait")]
async fn impl_trait(text: impl Into<String>, boxed: Box<dyn Send>) -> Result<(), TaskError> {
    Ok(())
}

#[task(name = "pattern")]
async fn pattern((x, y): (u64, u64), _: u64) -> Result<(), TaskError> {
    Ok(())
}

#[task(name = "late.context")]
async fn late_context(x: u64, ctx: Context<()>) -> Result<(), TaskError> {
    Ok(())
}

#[task(name = "bare.context")]
async fn bare_context(ctx: Context) -> Result<(), TaskError> {
    Ok(())
}

#[task(name = "arg.options")]
async fn arg_options(
    #[arg(secert)] a: u64,
    #[arg(secret, secret)] b: u64,
    #[arg(default = 3, default)] c: u64,
    #[arg(secret)]
    #[arg(default)]
    d: u64,
) -> Result<(), TaskError> {
    Ok(())
}

#[task(name = "arg.default")]
async fn arg_default(#[arg(default = "3")] x: u64) -> Result<(), TaskError> {
    Ok(())
}

#[task(name = "serde.names")]
async fn serde_names(#[serde(rename = "y")] x: u64, #[serde(default)] z: u64) -> Result<(), TaskError> {
    Ok(())
}

fn main() {}
