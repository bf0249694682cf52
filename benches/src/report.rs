//! The report, for people and for machines.

use std::fmt::Write as _;

use crate::{
    Failure,
    row::{Goal, Row, Summary},
};

/// Every row as one JSON array.
pub(crate) fn json(rows: &[Row]) -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(rows)?)
}

/// A Markdown table; `min / median / max` in each cell.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut lines =
        vec![["benchmark", "what", "unit", "Celeriac", "against", "its value", "ratio", "goal", ""].map(str::to_owned)];
    lines.extend(rows.iter().map(|row| {
        [
            row.bench.to_owned(),
            row.what.clone(),
            row.unit.to_owned(),
            cell(Some(row.ours)),
            row.against.clone().unwrap_or_default(),
            cell(row.baseline),
            cell(row.ratio),
            goal(row.goal),
            row.passed.map_or("", |passed| if passed { "pass" } else { "MISS" }).to_owned(),
        ]
    }));
    let mut widths = [0; 9];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if number == 0 {
            for width in widths {
                let _ = write!(text, "|{:-<width$}", "", width = width + 2);
            }
            text.push_str("|\n");
        }
    }
    text
}

fn cell(summary: Option<Summary>) -> String {
    summary.map_or_else(String::new, |Summary { min, median, max }| {
        format!("{} / {} / {}", number(min), number(median), number(max))
    })
}

fn goal(goal: Goal) -> String {
    match goal {
        Goal::AtLeast(least) => format!(">= {}", number(least)),
        Goal::AtMost(most) => format!("<= {}", number(most)),
        Goal::None => String::new(),
    }
}

/// Three digits where they matter, whole numbers above.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
