//! The table of all runs: live on a terminal, and once at the end.
//!
//! ```text
//! RUN                           STATE        STEPS       STEPS/S  LAST 100     LEFT
//! MsPacman/a2c-conv/seed1       finished     300k/300k         -     598.4        -
//! MsPacman/a2c-coordconv/seed1  running      120k/300k      2041     433.1   1m 28s
//! 1 finished, 1 running, 10 waiting; about 28m 40s left
//! ```

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::termios::tcgetwinsize;

use super::watch::Reading;
use crate::run::progress::{human_count, human_time};
use crate::run::screen::{Screen, Verbosity};

/// What a table without any terminal's height holds.
const N_LINES: usize = 40;

/// How a run stands, in the order in which they are worth a line where there are too few.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    Running,
    Failed,
    Waiting,
    Stopped,
    Finished,
}

/// A line of the table.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// The run's folder below that of all runs.
    pub(super) label: String,
    /// How it stands.
    pub(super) state: State,
    /// How far it is; its speed is looked at only while it is running.
    pub(super) reading: Reading,
    /// How far it is to go, agent steps.
    pub(super) total_steps: u64,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Failed => "FAILED",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
        }
    }
}

impl Row {
    fn steps_left(&self) -> u64 {
        match self.state {
            State::Running | State::Waiting => self.total_steps.saturating_sub(self.reading.step),
            _ => 0,
        }
    }

    fn rate(&self) -> Option<f64> {
        let rate = self.reading.steps_per_s?;
        (self.state == State::Running && rate > 0.0).then_some(rate)
    }

    fn line(&self, width: usize) -> String {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let steps = format!(
            "{}/{}",
            human_count(self.reading.step.min(self.total_steps)),
            human_count(self.total_steps)
        );
        let left = self
            .rate()
            .and_then(|rate| time_left(self.steps_left(), rate));
        format!(
            "{:width$}  {:<8}  {steps:>11}  {:>7}  {:>8}  {:>7}",
            self.label,
            self.state.name(),
            or_dash(self.rate().map(|rate| format!("{rate:.0}"))),
            or_dash(self.reading.mean_score.map(|mean| format!("{mean:.1}"))),
            or_dash(left.map(human_time)),
        )
    }
}

/// The table in at most `n_lines` lines, of which the last says how many there are of each state and what time is left.
pub(super) fn table(rows: &[Row], n_lines: usize) -> String {
    let width = rows
        .iter()
        .map(|row| row.label.len())
        .max()
        .unwrap_or(0)
        .max(3);
    let mut text = format!(
        "{:width$}  {:<8}  {:>11}  {:>7}  {:>8}  {:>7}\n",
        "RUN", "STATE", "STEPS", "STEPS/S", "LAST 100", "LEFT"
    );
    // A line for the header, one for what is left out, one for the sum.
    let room = n_lines.saturating_sub(3).max(1);
    let mut shown: Vec<usize> = (0..rows.len()).collect();
    if rows.len() > room {
        shown.sort_by_key(|&idx| (rows[idx].state, idx));
        shown.truncate(room);
        shown.sort_unstable();
    }
    for &idx in &shown {
        let _ = writeln!(text, "{}", rows[idx].line(width));
    }
    if rows.len() > shown.len() {
        let _ = writeln!(text, "and {} more", rows.len() - shown.len());
    }
    text + &sum(rows)
}

/// `1 finished, 1 running, 10 waiting; about 28m 40s left`.
fn sum(rows: &[Row]) -> String {
    let states = [
        State::Finished,
        State::Running,
        State::Waiting,
        State::Stopped,
        State::Failed,
    ];
    let counts = states.map(|state| (state, rows.iter().filter(|row| row.state == state).count()));
    let counts = counts.iter().filter(|(_, n_runs)| *n_runs > 0);
    let counts: Vec<String> = counts
        .map(|(state, n_runs)| format!("{n_runs} {}", state.name()))
        .collect();
    let steps = rows.iter().map(Row::steps_left).sum();
    let rate: f64 = rows.iter().filter_map(Row::rate).sum();
    match time_left(steps, rate) {
        Some(left) => format!("{}; about {} left", counts.join(", "), human_time(left)),
        None => counts.join(", "),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a time left is an estimate")]
fn time_left(steps: u64, rate: f64) -> Option<Duration> {
    (rate > 0.0)
        .then(|| Duration::try_from_secs_f64(steps as f64 / rate).ok())
        .flatten()
}

/// The table on a terminal, with what is said above it; elsewhere only what is said.
#[derive(Debug)]
pub(super) struct Board {
    bar: Option<ProgressBar>,
    screen: Screen,
}

impl Board {
    /// A table on standard error, if that is a terminal and is not to be quiet.
    pub(super) fn new(verbosity: Verbosity) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if verbosity == Verbosity::Quiet || bar.is_hidden() {
            return Self {
                bar: None,
                screen: Screen::new(verbosity),
            };
        }
        let style = ProgressStyle::with_template("{msg}");
        bar.set_style(style.expect("the template is constant and valid"));
        Self {
            screen: Screen::above(bar.clone(), verbosity),
            bar: Some(bar),
        }
    }

    /// The way to say something above the table.
    pub(super) fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Whether there is a table to draw.
    pub(super) fn is_seen(&self) -> bool {
        self.bar.is_some()
    }

    /// Draws the table anew.
    pub(super) fn draw(&self, rows: impl FnOnce() -> Vec<Row>) {
        if let Some(bar) = &self.bar {
            let height = tcgetwinsize(io::stderr()).map_or(N_LINES, |size| size.ws_row.into());
            bar.set_message(table(&rows(), height.saturating_sub(1)));
            bar.tick();
        }
    }

    /// Takes the table away.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label: &str, state: State, step: u64, steps_per_s: Option<f64>) -> Row {
        Row {
            label: label.to_owned(),
            state,
            reading: Reading {
                step,
                mean_score: (step > 0).then_some(12.34),
                steps_per_s,
            },
            total_steps: 300_000,
        }
    }

    #[test]
    fn each_run_has_a_line_and_the_last_one_sums_them_up() {
        let rows = [
            row("Pong/a2c-conv/seed1", State::Finished, 300_000, Some(900.0)),
            row(
                "Pong/a2c-coordconv/seed1",
                State::Running,
                120_000,
                Some(1_000.0),
            ),
            row("Pong/a2c-conv/seed2", State::Waiting, 0, None),
        ];
        let expected = "\
RUN                       STATE           STEPS  STEPS/S  LAST 100     LEFT
Pong/a2c-conv/seed1       finished    300k/300k        -      12.3        -
Pong/a2c-coordconv/seed1  running     120k/300k     1000      12.3   3m 00s
Pong/a2c-conv/seed2       waiting        0/300k        -         -        -
1 finished, 1 running, 1 waiting; about 8m 00s left";
        assert_eq!(table(&rows, 40), expected);
    }

    #[test]
    fn where_there_is_little_room_what_is_running_or_failed_is_shown() {
        let mut rows: Vec<Row> = (0..30)
            .map(|number| row(&format!("finished{number}"), State::Finished, 300_000, None))
            .collect();
        rows[20] = row("running", State::Running, 10, None);
        rows[25] = row("failed", State::Failed, 10, None);
        let text = table(&rows, 6);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 6, "{text}");
        assert!(lines[1].starts_with("finished0"), "{text}");
        assert!(
            lines[2].starts_with("running") && lines[3].starts_with("failed"),
            "{text}"
        );
        assert_eq!(
            lines[4..],
            ["and 27 more", "28 finished, 1 running, 1 FAILED"]
        );
        assert_eq!(table(&[], 0).lines().count(), 1);
    }
}
