use celeriac_broker::{Broker, transport::Verdict};
use serde_json::json;

use super::{Cemetery, letter::Letter, matching::Which};
use crate::{
    Error,
    session::Session,
    text::{self, Table, unknown},
};

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// The queue whose dead letters are meant.
    queue: String,
    #[command(flatten)]
    which: Which,
    /// How many are shown at most.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    limit: usize,
}

pub(super) async fn run(list: List, session: &Session, broker: &Broker) -> Result<(), Error> {
    let cemetery = Cemetery::of(&list.queue, broker).await?;
    let mut matching = list.which.matching();
    let (mut letters, mut more) = (Vec::new(), false);
    cemetery
        .sweep(broker, &mut matching, |message| {
            if letters.len() == list.limit {
                more = true;
                return Verdict::Stop;
            }
            letters.push(Letter::of(message));
            Verdict::Keep
        })
        .await?;
    let document = json!({"queue": cemetery.queue.name.as_str(), "letters": letters, "more": more});
    session.output.show(&document, || table(&letters))?;
    if more {
        crate::output::note(&format!("there are more than these {}; --limit shows them", letters.len()));
        return Ok(());
    }
    matching.all_found(cemetery.queue.name.as_str())
}

fn table(letters: &[Letter]) -> String {
    let now = std::time::SystemTime::now();
    let mut table = Table::new(&["ID", "TASK", "REASON", "ATTEMPTS", "DIED", "ERROR"]);
    for letter in letters {
        table.row([
            text::cut(&letter.id, 40),
            letter.task.as_deref().map_or_else(unknown, |task| text::cut(task, 40)),
            letter.reason.clone().unwrap_or_else(unknown),
            letter.attempts.map_or_else(unknown, |attempts| attempts.to_string()),
            letter.died.map_or_else(unknown, |died| text::age(died, now)),
            letter.error.as_deref().map_or_else(unknown, |error| text::cut(error, 80)),
        ]);
    }
    table.render()
}
