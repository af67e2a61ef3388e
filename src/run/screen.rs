//! What is said on standard error beside the progress bar.
//!
//! A [`Screen`] is cheap to clone and may be used from any thread. Lines go above the bar, never through it. Nothing
//! here can fail or panic: a run does not end because its terminal was closed.

use std::io::{self, Write};

use indicatif::ProgressBar;

/// Who hears what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verbosity {
    /// Progress, messages and warnings.
    Normal,
    /// Warnings only (`--quiet`).
    Quiet,
}

/// The way to standard error.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    verbosity: Verbosity,
    bar: Option<ProgressBar>,
}

impl Screen {
    /// A screen without a bar.
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        Self {
            verbosity,
            bar: None,
        }
    }

    /// A screen whose lines go above `bar`.
    pub(crate) fn above(bar: ProgressBar, verbosity: Verbosity) -> Self {
        Self {
            verbosity,
            bar: Some(bar),
        }
    }

    /// A screen that shows warnings only.
    #[cfg(test)]
    pub(crate) fn quiet() -> Self {
        Self::new(Verbosity::Quiet)
    }

    /// Says `line`, unless the run is quiet.
    pub(crate) fn say(&self, line: &str) {
        if self.verbosity == Verbosity::Normal {
            self.write_line(line);
        }
    }

    /// Says `line` as a warning, also when the run is quiet.
    pub(crate) fn warn(&self, line: &str) {
        self.write_line(&format!("warning: {line}"));
    }

    fn write_line(&self, line: &str) {
        // `eprintln!` would panic when standard error is closed.
        let write = || {
            let _ = writeln!(io::stderr(), "{line}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}
