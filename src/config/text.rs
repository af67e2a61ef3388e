//! A TOML text as a list of its keys, each with the line it stands on.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One key of a TOML text, tables included (before their contents).
#[derive(Debug)]
pub(crate) struct Entry {
    /// The whole key, with dots: `a2c.learning_rate`.
    pub(crate) key: String,
    /// Its value; a whole table for a section.
    pub(crate) value: toml::Value,
    /// Line in the text, from 1.
    pub(crate) line: usize,
}

/// A text that is no TOML.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    /// Line in the text, from 1.
    pub(crate) line: usize,
    /// What the parser says.
    pub(crate) message: String,
    /// The line as it stands in the text.
    pub(crate) source: String,
}

/// Lists the keys of a text in the order of its lines.
pub(crate) fn entries(text: &str) -> Result<Vec<Entry>, SyntaxError> {
    let spans = DeTable::parse(text).map_err(|error| syntax_error(text, &error))?;
    let values: toml::Table = text.parse().map_err(|error| syntax_error(text, &error))?;
    let mut entries = Vec::new();
    walk(text, "", spans.get_ref(), &values, &mut entries);
    entries.sort_by_key(|entry| entry.line);
    Ok(entries)
}

/// `spans` and `values` are the same table, once with places and once with values.
fn walk(
    text: &str,
    section: &str,
    spans: &DeTable<'_>,
    values: &toml::Table,
    out: &mut Vec<Entry>,
) {
    for (name, value_span) in spans {
        let Some(value) = values.get(name.get_ref().as_ref()) else {
            continue;
        };
        let key = match section {
            "" => name.get_ref().to_string(),
            _ => format!("{section}.{}", name.get_ref()),
        };
        out.push(Entry {
            key: key.clone(),
            value: value.clone(),
            line: line_of(text, Spanned::span(name).start),
        });
        if let (DeValue::Table(inner_spans), toml::Value::Table(inner)) =
            (value_span.get_ref(), value)
        {
            walk(text, &key, inner_spans, inner, out);
        }
    }
}

/// The place and words of a parser's error.
fn syntax_error(text: &str, error: &toml::de::Error) -> SyntaxError {
    let line = line_of(text, error.span().map_or(0, |span| span.start));
    SyntaxError {
        line,
        message: error.message().lines().collect::<Vec<_>>().join("; "),
        source: text.lines().nth(line - 1).unwrap_or("").trim().to_owned(),
    }
}

/// The line, from 1, of a byte of the text.
pub(crate) fn line_of(text: &str, byte: usize) -> usize {
    1 + text
        .get(..byte)
        .map_or(0, |before| before.matches('\n').count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_toml_is_placed() {
        let error = entries("seed = 1\ngame = MsPacman\n").unwrap_err();
        assert_eq!(error.line, 2);
        assert_eq!(error.source, "game = MsPacman");
        assert_eq!(entries("[env\n").unwrap_err().line, 1);
        assert_eq!(entries("seed = 1\n\nseed = 2\n").unwrap_err().line, 3);
    }

    #[test]
    fn keys_carry_their_section_and_line() {
        let text = "seed = 3\n[env]\nn_envs = 8\n\n[a2c]\ndiscount = 0.9\n";
        let found: Vec<_> = entries(text)
            .unwrap()
            .into_iter()
            .map(|entry| (entry.key, entry.line))
            .collect();
        let expected = [
            ("seed", 1),
            ("env", 2),
            ("env.n_envs", 3),
            ("a2c", 5),
            ("a2c.discount", 6),
        ];
        assert_eq!(found, expected.map(|(key, line)| (key.to_owned(), line)));
    }
}
