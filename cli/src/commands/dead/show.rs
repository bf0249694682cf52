use std::fmt::Write as _;

use celeriac_broker::{Broker, Message, transport::Verdict};
use serde_json::{Value, json};

use super::{Cemetery, letter, letter::Letter, matching::Which};
use crate::{Error, output::Output, session::Session, text};

#[derive(Debug, clap::Args)]
pub(crate) struct Show {
    /// The queue whose dead letters are meant.
    queue: String,
    #[command(flatten)]
    which: Which,
    /// Write the body of the one that matches to standard output, byte for byte. It holds the arguments, secret ones too.
    #[arg(long, conflicts_with = "json")]
    raw: bool,
}

pub(super) async fn run(show: Show, session: &Session, broker: &Broker) -> Result<(), Error> {
    if show.which.is_everything() {
        let fix = format!("say which: an ID, --task or --error; `dead list {}` lists them", show.queue);
        return Err(Error::Usage(fix));
    }
    let cemetery = Cemetery::of(&show.queue, broker).await?;
    let mut matching = show.which.matching();
    let mut found = Vec::new();
    cemetery
        .sweep(broker, &mut matching, |message| {
            found.push(message.clone());
            Verdict::Keep
        })
        .await?;
    let queue = cemetery.queue.name.as_str();
    matching.all_found(queue)?;
    if show.raw {
        return match found.as_slice() {
            [message] => Output::raw(&message.body),
            others => Err(Error::Failed(format!(
                "--raw writes one body, and {} match; give one ID",
                text::plural(others.len() as u64, "dead letter")
            ))),
        };
    }
    let letters: Vec<Value> = found.iter().map(document).collect();
    session.output.show(&json!({"queue": queue, "letters": letters}), || people(&found))
}

fn document(message: &Message) -> Value {
    let mut document = json!(Letter::of(message));
    document["headers"] = Value::Object(letter::headers(message));
    document["properties"] = json!(message.properties);
    document
}

fn people(found: &[Message]) -> String {
    let mut shown = String::new();
    for message in found {
        let letter = Letter::of(message);
        if !shown.is_empty() {
            shown.push('\n');
        }
        let mut line = |name: &str, value: Option<&str>| {
            let value = value.map_or_else(text::unknown, text::one_line);
            let _ = writeln!(shown, "{name}: {value}");
        };
        line("id", Some(&letter.id));
        line("task", letter.task.as_deref());
        line("queue", letter.queue.as_deref());
        line("reason", letter.reason.as_deref());
        line("error", letter.error.as_deref());
        line("died", letter.died_at.as_deref());
        line("published", letter.published_at.as_deref());
        line("attempts", letter.attempts.map(|attempts| attempts.to_string()).as_deref());
        line("args", letter.args.as_deref());
        line("kwargs", letter.kwargs.as_deref());
        line("body", Some(&format!("{} (--raw writes it)", text::bytes(letter.body_bytes as u64))));
        let _ = writeln!(shown, "headers:");
        for (name, value) in message.headers.iter() {
            let _ = writeln!(shown, "  {}: {}", text::one_line(name), plain(&letter::value(value)));
        }
    }
    shown
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => text::unknown(),
        Value::String(text) => text::one_line(text),
        other => text::one_line(&other.to_string()),
    }
}
