use comfy_table::{ContentArrangement, presets::NOTHING};

/// What stands where nothing can be known; never 0.
pub(crate) fn unknown() -> String {
    "-".into()
}

/// Columns for people, without lines, so that `grep` and `awk` find what they look for.
#[derive(Debug)]
pub(crate) struct Table(comfy_table::Table);

impl Table {
    pub(crate) fn new(header: &[&str]) -> Self {
        let mut table = comfy_table::Table::new();
        table
            .load_style(NOTHING)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(header.iter().copied());
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        Self(table)
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.add_row(cells.into_iter().map(|cell| super::one_line(&cell)));
    }

    pub(crate) fn render(&self) -> String {
        self.0.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}
