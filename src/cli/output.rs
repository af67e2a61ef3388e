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
    let _ = writeln!(io::stderr(), "error: {error:#}");
}
