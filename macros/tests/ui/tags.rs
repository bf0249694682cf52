#![allow(unused)]

use celeriac::prelude::*;

#[task(name = "unknown", tags(compny))]
struct UnknownArgument {
    company: String,
}

#[task(name = "none", tags(company))]
struct NoArguments;

#[task(name = "secret", tags(company, token))]
struct SecretTag {
    company: String,
    #[arg(secret)]
    token: String,
}

#[task(name = "twice", tags(company, company))]
async fn twice(company: String) -> Result<(), TaskError> {
    Ok(())
}

#[task(name = "bare", tags)]
struct Bare {
    company: String,
}

#[task(name = "empty", tags())]
struct Empty {
    company: String,
}

#[task(name = "text", tags("company"))]
struct Text {
    company: String,
}

#[task(name = "named", tags(tenant = company))]
struct Named {
    company: String,
}

fn main() {}
