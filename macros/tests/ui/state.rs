#![allow(unused)]

use celeriac::prelude::*;

struct Billing;
struct Mail;

#[task(name = "charge")]
async fn charge(ctx: Context<Billing>, cents: u64) -> Result<(), TaskError> {
    Ok(())
}

#[task(name = "held")]
async fn held(x: u64) -> Result<(), TaskError> {
    let shared = std::rc::Rc::new(x);
    std::future::ready(()).await;
    drop(shared);
    Ok(())
}

#[task(name = "contract")]
struct Contract {
    x: u64,
}

fn main() {
    let worker = Worker::builder().state(|| async { Ok::<_, std::io::Error>(Mail) });
    let worker = worker.register::<Charge>();
    worker.register::<Contract>();
    Worker::builder().register::<u64>();
    let _ = Broker::memory().publish("charge");
}
