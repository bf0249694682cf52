use serde_json::{Map, Value, json};

use crate::{
    Error,
    config::{Row, rows},
    session::Session,
    text::Table,
};

/// `celeriac config ..`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Print each setting, its value and where it comes from; passwords are masked.
    Show,
}

pub(crate) fn run(command: &Command, session: &Session) -> Result<(), Error> {
    let Command::Show = command;
    let rows = rows(&session.config.all());
    session.output.show(&document(&rows, session), || table(&rows))
}

fn document(rows: &[Row], session: &Session) -> Value {
    let settings: Map<String, Value> = rows
        .iter()
        .map(|row| {
            let origin = json!({"value": row.value, "source": row.origin.kind(), "from": row.origin.to_string()});
            (row.name.clone(), origin)
        })
        .collect();
    json!({"file": session.config.file, "settings": settings})
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new(&["SETTING", "VALUE", "FROM"]);
    for row in rows {
        let value = match &row.value {
            Value::Null => "-".into(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        table.row([row.name.clone(), value, row.origin.to_string()]);
    }
    table.render()
}
