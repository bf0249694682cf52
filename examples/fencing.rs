//! What no lease can promise, and what helps: a write that was on its way when its lease was lost arrives late. A resource that
//! compares fencing tokens refuses it; one that does not lets it undo what the next holder wrote.
//!
//! Run: `cargo run --example fencing`
//!
//! It prints what each of two registers, one that looks at tokens and one that does not, holds at the end:
//!
//! ```text
//! 100: written, but the packet is slow; meanwhile an operator takes the lease away
//! 100: dropped, its lease is lost
//! 200: written, under a higher token
//! 100: the packet arrives
//! without tokens: 100, which nobody wanted any more
//! with tokens: 200; 1 write refused
//! ```

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use celeriac::{FencingToken, Locks, RetryPolicy, prelude::*};
use tokio::{sync::Notify, time::sleep};

/// A resource outside: a database, a file server, a device.
#[derive(Default)]
struct Register {
    unguarded: u64,
    guarded: u64,
    highest: Option<FencingToken>,
    refused: u32,
}

impl Register {
    /// The token goes with the write, and the register keeps the highest that it has seen. In SQL:
    /// `UPDATE .. SET value = ?, fence = ? WHERE fence <= ?`.
    fn write(&mut self, value: u64, token: FencingToken) {
        self.unguarded = value;
        if self.highest.is_some_and(|highest| token < highest) {
            self.refused += 1;
            return;
        }
        self.highest = Some(token);
        self.guarded = value;
    }
}

#[derive(Clone)]
struct Bank {
    register: Arc<Mutex<Register>>,
    /// For the operator in this example; a task needs none.
    locks: Locks,
    overtaken: Arc<Notify>,
    arrived: Arc<Notify>,
}

impl Bank {
    fn register(&self) -> MutexGuard<'_, Register> {
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prints when it is dropped.
struct Dropped(&'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

#[task(name = "bank.set", queue = "bank", mutex(account, ttl = "300ms"), retry = RetryPolicy::NEVER)]
async fn set(ctx: Context<Bank>, account: u32, value: u64) -> Result<(), TaskError> {
    let lease = ctx.lease("account")?;
    let (bank, token) = (ctx.state().clone(), lease.fencing_token());
    if value == 200 {
        bank.register().write(value, token);
        println!("{value}: written, under a higher token");
        bank.overtaken.notify_one();
        return Ok(());
    }
    // What has left the machine goes on when the run is dropped.
    tokio::spawn({
        let bank = bank.clone();
        async move {
            bank.overtaken.notified().await;
            println!("{value}: the packet arrives");
            bank.register().write(value, token);
            bank.arrived.notify_one();
        }
    });
    println!("{value}: written, but the packet is slow; meanwhile an operator takes the lease away");
    let _dropped = Dropped("100: dropped, its lease is lost");
    ctx.publish(Set { account, value: 200 }).await?;
    bank.locks.force_release(lease.key(), lease.id()).await?;
    sleep(Duration::from_secs(60)).await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::from_env()?;
    broker.publish(Set { account: 7, value: 100 }).await?;

    let locks = Locks::from_url("memory://")?;
    let bank =
        Bank { register: Arc::default(), locks: locks.clone(), overtaken: Arc::default(), arrived: Arc::default() };
    let state = bank.clone();
    let worker = Worker::builder()
        .state(|| async move { Ok::<_, Infallible>(state) })
        .register::<Set>()
        .pool("bank", Pool::new(1))
        .locks(locks)
        .build()?;
    worker.run_until_idle().await?;
    bank.arrived.notified().await;
    let register = bank.register();
    println!("without tokens: {}, which nobody wanted any more", register.unguarded);
    println!("with tokens: {}; {} write refused", register.guarded, register.refused);
    Ok(())
}
