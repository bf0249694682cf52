use std::fmt::Write as _;

use celeriac_broker::{Broker, Message, transport::Verdict};
use serde_json::{Value, json};

use super::{Cemetery, letter, letter::Letter, matching::Which};
use crate::{Error, session::Session, text};

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
            [message] => session.output.raw(&message.body),
            others => Err(Error::Failed(format!(
                "--raw writes one body, and {} match; give one ID",
                text::plural(others.len() as u64, "dead letter")
            ))),
        };
    }
    let letters: Vec<Value> = found.iter().map(document).collect();
    session.output.show(&json!({"queue": queue, "letters": letters}), || people(&letters))
}

fn document(message: &Message) -> Value {
    let mut document = json!(Letter::of(message));
    document["headers"] = Value::Object(letter::headers(message));
    document["properties"] = json!(message.properties);
    document
}

fn people(letters: &[Value]) -> String {
    let mut shown = String::new();
    for letter in letters {
        if !shown.is_empty() {
            shown.push('\n');
        }
        for (name, value) in letter.as_object().into_iter().flatten() {
            match value {
                Value::Object(inner) => {
                    let _ = writeln!(shown, "{name}:");
                    for (name, value) in inner {
                        let _ = writeln!(shown, "  {}: {}", text::one_line(name), plain(value));
                    }
                }
                value => {
                    let _ = writeln!(shown, "{name}: {}", plain(value));
                }
            }
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
