//! How far the run is: a bar on a terminal, a plain line every 30 s elsewhere, nothing with `--quiet`.
//!
//! ```text
//!  12% [#>         ] 1.25M/10M | 1234 steps/s | 1h 58m left | last 100 games 312.5
//! ```
//!
//! That is: agent steps of all, speed over the last 10 s, time left at that speed, and mean raw score of
//! the last 100 games. The bar takes what room is left; at 80 columns there is still some.

mod games;
mod view;

use std::time::{Duration, Instant};

pub(crate) use games::{GameProgress, PlayedSoFar};

use super::rate::RateWindow;
use super::screen::{Screen, Verbosity};
use view::View;

/// Over how much time the speed is taken.
pub(crate) const RATE_WINDOW: Duration = Duration::from_secs(10);

/// The progress of a run, in agent steps.
#[derive(Debug)]
pub(crate) struct Progress {
    total_steps: u64,
    rate: RateWindow,
    view: View,
    words: Words,
}

/// What is counted, and what the score is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Words {
    counted: &'static str,
    /// What it is, if there is any.
    score: Option<&'static str>,
    /// Decimals of the score.
    decimals: usize,
}

/// Agent steps, and the mean raw score of the last 100 games.
const STEPS: Words = Words {
    counted: "steps",
    score: Some("last 100 games"),
    decimals: 1,
};
/// Updates of a toy task, and its metric on the test part.
const UPDATES: Words = Words {
    counted: "updates",
    score: Some("test"),
    decimals: 3,
};
/// Steps that are played again after a kill.
const STEPS_AGAIN: Words = Words {
    counted: "steps again",
    score: None,
    decimals: 0,
};

impl Progress {
    /// The progress of a run that stands at `steps` of `total_steps`; more than 0 when it is resumed.
    pub(crate) fn new(total_steps: u64, steps: u64, verbosity: Verbosity) -> Self {
        Self::with_words(total_steps, steps, verbosity, STEPS)
    }

    /// The progress of a training that counts its updates, with the metric of the test part as its score.
    pub(crate) fn of_updates(total_updates: u64, updates: u64, verbosity: Verbosity) -> Self {
        Self::with_words(total_updates, updates, verbosity, UPDATES)
    }

    /// The progress of bringing environments back to where they were, in steps of their groups.
    pub(crate) fn of_retracing(total_steps: u64, verbosity: Verbosity) -> Self {
        Self::with_words(total_steps, 0, verbosity, STEPS_AGAIN)
    }

    fn with_words(total_steps: u64, steps: u64, verbosity: Verbosity, words: Words) -> Self {
        let mut rate = RateWindow::new(RATE_WINDOW);
        rate.record(Instant::now(), steps);
        Self {
            total_steps,
            rate,
            view: View::new(total_steps, steps, verbosity),
            words,
        }
    }

    /// The way to say something above the bar.
    pub(crate) fn screen(&self) -> &Screen {
        self.view.screen()
    }

    /// Agent steps per second over the last 10 s (`time/steps_per_s`).
    pub(crate) fn steps_per_second(&self) -> Option<f64> {
        self.rate.per_second()
    }

    /// Notes that the run stands at `steps`, and shows it when it is time to. Cheap enough for every rollout.
    ///
    /// `mean_score` is the mean raw score of the last 100 games.
    pub(crate) fn update(&mut self, steps: u64, mean_score: Option<f64>) {
        let now = Instant::now();
        self.rate.record(now, steps);
        let per_second = self.rate.per_second();
        let (total_steps, words) = (self.total_steps, self.words);
        self.view.show(now, steps, || {
            status((steps, total_steps), per_second, mean_score, words)
        });
    }

    /// Takes the bar away, so that what follows stands below nothing.
    pub(crate) fn finish(&self) {
        self.view.finish();
    }
}

/// Everything but the percentage and the bar.
fn status(
    (steps, total_steps): (u64, u64),
    per_second: Option<f64>,
    mean_score: Option<f64>,
    Words {
        counted,
        score,
        decimals,
    }: Words,
) -> String {
    let speed = per_second.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
    let left = time_left(steps, total_steps, per_second).map_or_else(|| "-".to_owned(), human_time);
    let score = score.map_or_else(String::new, |score| {
        let mean = mean_score.map_or_else(|| "-".to_owned(), |mean| format!("{mean:.decimals$}"));
        format!(" | {score} {mean}")
    });
    format!(
        "{}/{} | {speed} {counted}/s | {left} left{score}",
        human_count(steps),
        human_count(total_steps)
    )
}

#[expect(clippy::cast_precision_loss, reason = "a time left is an estimate")]
fn time_left(steps: u64, total_steps: u64, per_second: Option<f64>) -> Option<Duration> {
    let rate = per_second.filter(|rate| *rate > 0.0)?;
    Duration::try_from_secs_f64(total_steps.saturating_sub(steps) as f64 / rate).ok()
}

/// A time as its two largest units: `42s`, `3m 07s`, `2h 05m`, `4d 01h`.
pub(crate) fn human_time(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {:02}h", hours % 24),
    }
}

/// A count in at most three digits and a unit, cut off, never rounded up: `950`, `12.3k`, `1.25M`, `10M`.
pub(crate) fn human_count(count: u64) -> String {
    let (unit, name) = match count {
        0..1_000 => return count.to_string(),
        1_000..1_000_000 => (1_000, "k"),
        1_000_000..1_000_000_000 => (1_000_000, "M"),
        _ => (1_000_000_000, "G"),
    };
    let (whole, hundredths) = (count / unit, count % unit * 100 / unit);
    let text = match whole {
        0..10 => format!("{whole}.{hundredths:02}"),
        10..100 => format!("{whole}.{}", hundredths / 10),
        _ => whole.to_string(),
    };
    let shortest = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{shortest}{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_cut_to_three_digits() {
        let counts = [
            0,
            999,
            1_000,
            12_345,
            999_999,
            1_250_000,
            10_000_000,
            100_000_000,
            2_000_000_000,
        ];
        let texts = [
            "0", "999", "1k", "12.3k", "999k", "1.25M", "10M", "100M", "2G",
        ];
        assert_eq!(counts.map(human_count), texts);
    }

    #[test]
    fn times_show_their_two_largest_units() {
        let seconds = [0, 42, 187, 7_500, 349_300];
        let texts = ["0s", "42s", "3m 07s", "2h 05m", "4d 01h"];
        assert_eq!(seconds.map(|s| human_time(Duration::from_secs(s))), texts);
    }

    #[test]
    fn the_status_says_how_far_how_fast_how_long_and_how_good() {
        let text = status((1_250_000, 10_000_000), Some(1_234.4), Some(312.46), STEPS);
        assert_eq!(
            text,
            "1.25M/10M | 1234 steps/s | 1h 58m left | last 100 games 312.5"
        );
    }

    #[test]
    fn what_is_not_known_yet_is_a_dash() {
        for per_second in [None, Some(0.0)] {
            let text = status((0, 100), per_second, None, STEPS);
            assert!(text.contains("| - left |"), "{text}");
        }
        assert_eq!(time_left(0, u64::MAX, Some(f64::MIN_POSITIVE)), None);
    }
}
