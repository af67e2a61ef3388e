//! Tables that scroll within themselves where the page is narrow.

use crate::report::figure::escape;

/// A table of the page. Its first column is a heading of each row.
#[derive(Debug)]
pub(super) struct Table {
    caption: String,
    head: String,
    rows: String,
}

impl Table {
    /// An empty table: what it shows and how that was computed, and a heading over each column.
    pub(super) fn new(caption: &str, head: &[&str]) -> Self {
        let cells = head
            .iter()
            .map(|cell| format!("<th scope=\"col\">{}</th>", escape(cell)));
        Self {
            caption: escape(caption),
            head: cells.collect(),
            rows: String::new(),
        }
    }

    /// Adds a row of cells that are HTML already.
    pub(super) fn add(&mut self, cells: &[String]) {
        self.rows.push_str("<tr>");
        for (column, cell) in cells.iter().enumerate() {
            let cell = match column {
                0 => format!("<th scope=\"row\">{cell}</th>"),
                _ => format!("<td>{cell}</td>"),
            };
            self.rows.push_str(&cell);
        }
        self.rows.push_str("</tr>\n");
    }

    /// Whether it has no row.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as HTML.
    pub(super) fn html(&self) -> String {
        let Self {
            caption,
            head,
            rows,
        } = self;
        format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table><caption>{caption}</caption>\
             <thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n"
        )
    }
}
