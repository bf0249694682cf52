use std::collections::HashSet;

use celeriac_broker::{Broker, Destination, message::names, transport::Verdict};
use serde_json::json;

use super::{Cemetery, matching::Which};
use crate::{Error, output::confirm, session::Session, text};

#[derive(Debug, clap::Args)]
pub(crate) struct Retry {
    /// The queue whose dead letters are meant.
    queue: String,
    #[command(flatten)]
    which: Which,
    /// Every dead letter of the queue.
    #[arg(long)]
    all: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    which: Retry,
    /// Do it without being asked.
    #[arg(long, short)]
    yes: bool,
}

impl Retry {
    /// Refuses to touch everything unless that was said.
    fn checked(self) -> Result<(String, Which), Error> {
        match (self.all, self.which.is_everything()) {
            (false, true) => Err(Error::Usage("say which: an ID, --task, --error, or --all".into())),
            (true, false) => Err(Error::Usage("--all means every dead letter; leave out the rest, or --all".into())),
            _ => Ok((self.queue, self.which)),
        }
    }
}

pub(super) async fn retry(retry: Retry, session: &Session, broker: &Broker) -> Result<(), Error> {
    let (queue, which) = retry.checked()?;
    let cemetery = Cemetery::of(&queue, broker).await?;
    let mut matching = which.matching();
    let now = broker.clock().now();
    let mut retried = 0_u64;
    let mut before = HashSet::new();
    let swept = cemetery
        .sweep(broker, &mut matching, |message| {
            // It has died again meanwhile: once is enough, or this would go on for as long as it dies at once.
            if !before.insert(message.id()) {
                return Verdict::Keep;
            }
            // A name that can't be (from a foreign header) falls back to the queue that was given.
            let home = message.headers.text(names::DEAD_QUEUE).and_then(|name| broker.queue(name).ok());
            let home = home.unwrap_or_else(|| cemetery.queue.clone());
            retried += 1;
            Verdict::Move(Box::new(Destination::now(home)), Box::new(message.revived(now)))
        })
        .await;
    let name = cemetery.queue.name.as_str();
    swept?;
    session.output.show(&json!({"queue": name, "retried": retried}), || {
        format!("{} of {name} will run again\n", text::plural(retried, "dead letter"))
    })?;
    matching.all_found(name)
}

pub(super) async fn delete(delete: Delete, session: &Session, broker: &Broker) -> Result<(), Error> {
    let (queue, which) = delete.which.checked()?;
    let cemetery = Cemetery::of(&queue, broker).await?;
    let name = cemetery.queue.name.as_str();
    let what = if which.is_everything() { "every dead letter" } else { "the dead letters that match" };
    confirm(&format!("This deletes {what} of queue {name} at {} for good.", broker.address()), delete.yes)?;
    let mut matching = which.matching();
    let mut deleted = 0_u64;
    cemetery
        .sweep(broker, &mut matching, |_| {
            deleted += 1;
            Verdict::Delete
        })
        .await?;
    session.output.show(&json!({"queue": name, "deleted": deleted}), || {
        format!("deleted {} of {name}\n", text::plural(deleted, "dead letter"))
    })?;
    matching.all_found(name)
}
