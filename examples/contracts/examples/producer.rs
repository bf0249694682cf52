//! Publishes tasks whose code it does not have: it depends on the crate of contracts alone.
//! It has no handler, and could be built without the feature `worker`.
//!
//! Run: `cargo run -p celeriac-example-contracts --example contracts_producer`, then `contracts_worker` in its stead
//!
//! It prints one line for each mail that waits in the queue, and a `Debug` that masks the secret:
//!
//! ```text
//! SendMail { to: "ada@example.org", subject: "Welcome", token: *** }
//!   waits in mail as 019b2f...
//! ```

use celeriac::Broker;
use celeriac_example_contracts::SendMail;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::from_env()?;
    for (to, subject) in [("ada@example.org", "Welcome"), ("grace@example.org", "Your invoice")] {
        let mail = SendMail { to: to.to_owned(), subject: subject.to_owned(), token: "s3cret".to_owned() };
        println!("{mail:?}");
        let sent = broker.publish(mail).await?;
        println!("  waits in {} as {}", sent.queue, sent.id);
    }
    Ok(())
}
