//! One printer of tables for all measurements.

/// A table: the first column to the left, numbers to the right.
#[derive(Debug)]
pub(super) struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table under a title, with a head over each column.
    pub(super) fn new(title: impl Into<String>, head: &[&str]) -> Self {
        Self {
            title: title.into(),
            rows: vec![head.iter().map(|&word| word.to_owned()).collect()],
        }
    }

    /// Adds a row, with as many cells as there are columns.
    pub(super) fn add<const N: usize>(&mut self, cells: [String; N]) {
        debug_assert_eq!(cells.len(), self.rows[0].len(), "columns");
        self.rows.push(cells.into());
    }

    /// The table as lines of text.
    pub(super) fn text(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.rows[0].len()).map(width).collect();
        let mut text = format!("{}\n", self.title);
        for row in &self.rows {
            let cells = row.iter().zip(&widths).enumerate();
            let line: String = cells
                .map(|(column, (cell, &width))| match column {
                    0 => format!("  {cell:<width$}"),
                    _ => format!("  {cell:>width$}"),
                })
                .collect();
            text += line.trim_end();
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_numbers_stand_to_the_right() {
        let mut table = Table::new("speed", &["game", "steps/s"]);
        table.add(["Pong".to_owned(), "7".to_owned()]);
        table.add(["MsPacman".to_owned(), "12345678".to_owned()]);
        let expected = "\
speed
  game       steps/s
  Pong             7
  MsPacman  12345678
";
        assert_eq!(table.text(), expected);
    }
}
