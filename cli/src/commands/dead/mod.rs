//! Dead letters: those of a queue live in `<queue>.dead`.

mod letter;
mod list;
mod matching;
mod settle;
mod show;

use celeriac_broker::{Broker, Message, Queue, QueueName, transport::Verdict};

use self::matching::Matching;
use crate::{Error, commands::queue, session::Session};

/// `celeriac dead ..`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List dead letters, oldest first: task, reason, error, age. Nothing is changed.
    List(list::List),
    /// Show everything about dead letters but their bodies, whose arguments may be secret.
    Show(show::Show),
    /// Put dead letters back into their queue, with all their attempts again.
    Retry(settle::Retry),
    /// Delete dead letters for good.
    Delete(settle::Delete),
}

pub(crate) async fn run(command: Command, session: &Session, broker: &Broker) -> Result<(), Error> {
    match command {
        Command::List(list) => list::run(list, session, broker).await,
        Command::Show(show) => show::run(show, session, broker).await,
        Command::Retry(retry) => settle::retry(retry, session, broker).await,
        Command::Delete(delete) => settle::delete(delete, session, broker).await,
    }
}

/// A queue and its dead letter queue.
struct Cemetery {
    queue: Queue,
    dead: QueueName,
}

impl Cemetery {
    /// Of `queue`; naming the dead letter queue itself means the same.
    async fn of(queue: &str, broker: &Broker) -> Result<Self, Error> {
        let queue = queue::name(queue.strip_suffix(".dead").unwrap_or(queue), broker)?;
        let dead = queue.name.dead().map_err(Error::broker("can't name the dead letter queue"))?;
        let looking = format!("can't look at queue {dead}");
        match broker.transport().queue(&dead).await.map_err(Error::broker(looking))? {
            Some(_) => Ok(Self { queue, dead }),
            None => Err(queue::missing(&dead, broker)),
        }
    }

    /// Does to every dead letter that matches what `act` says.
    async fn sweep(
        &self,
        broker: &Broker,
        matching: &mut Matching,
        mut act: impl FnMut(&Message) -> Verdict + Send,
    ) -> Result<(), Error> {
        let mut visit = |message: &Message| if matching.accepts(message) { act(message) } else { Verdict::Keep };
        let doing = format!("can't go through queue {}", self.dead);
        broker.transport().sweep(&self.dead, usize::MAX, &mut visit).await.map_err(Error::broker(doing))?;
        Ok(())
    }
}
