//! The one place that writes to the terminal outside of a training: results to stdout, errors to stderr.

use std::io::{self, Write as _};

/// Writes a result to stdout, with a line break at its end.
///
/// A reader that went away, as in `rlrun games | head`, is no error.
pub(crate) fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{}", text.trim_end_matches('\n'));
    let _ = stdout.flush();
}

/// Writes an error to stderr, once for a program.
pub(crate) fn complain(error: &anyhow::Error) {
    let _ = writeln!(io::stderr(), "error: {}", in_one_line(error));
}

/// An error with its causes, each once: many of ours cite their cause themselves.
pub(crate) fn in_one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.ends_with(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn a_cause_that_is_cited_is_not_told_twice() {
        let full: anyhow::Result<()> = Err(anyhow!("disk full"));
        let cited = full.context("cannot write a: disk full").context("saving");
        let line = in_one_line(&cited.unwrap_err());
        assert_eq!(line, "saving: cannot write a: disk full");
        let plain: anyhow::Result<()> = Err(anyhow!("disk full"));
        let line = in_one_line(&plain.context("saving").unwrap_err());
        assert_eq!(line, "saving: disk full");
    }
}
