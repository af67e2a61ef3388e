//! Tables that scroll within themselves where the page is narrow.

use crate::report::figure::escape;

/// A table of the page. Its first column is a heading of each row.
#[derive(Debug)]
pub(super) struct Table {
    caption: String,
    head: String,
    rows: String,
    /// Whether each column is of words, which stand to the left, and not of numbers.
    is_words: Vec<bool>,
}

/// The class of words.
const LEFT: &str = " class=\"l\"";

impl Table {
    /// An empty table: what it shows and how that was computed, and a heading over each column. A heading after `<` stands over
    /// words, which are aligned to the left.
    pub(super) fn new(caption: &str, head: &[&str]) -> Self {
        let columns = head
            .iter()
            .map(|cell| (cell.starts_with('<'), cell.trim_start_matches('<')));
        let cells = columns.clone().map(|(is_words, cell)| {
            let class = if is_words { LEFT } else { "" };
            format!("<th scope=\"col\"{class}>{}</th>", escape(cell))
        });
        Self {
            caption: escape(caption),
            head: cells.collect(),
            rows: String::new(),
            is_words: columns.map(|(is_words, _)| is_words).collect(),
        }
    }

    /// Adds a row of cells that are HTML already.
    pub(super) fn add(&mut self, cells: &[String]) {
        self.rows.push_str("<tr>");
        for (column, cell) in cells.iter().enumerate() {
            let cell = match column {
                0 => format!("<th scope=\"row\">{cell}</th>"),
                _ if self.is_words[column] => format!("<td{LEFT}>{cell}</td>"),
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
            ..
        } = self;
        format!(
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\"><table><caption><span>{caption}</span></caption>\
             <thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>\n"
        )
    }
}
