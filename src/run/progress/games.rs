//! How far an evaluation is: games that are over, and the speed at which the rest are played.
//!
//! ```text
//!  23% [#>         ] 23/100 games | 1543 steps/s | 1m 10s left | mean score 812.5
//! ```
//!
//! The first games to end are the short ones, so no time is told before as many are over as are played side by side.

use std::time::{Duration, Instant};

use super::view::View;
use super::{RATE_WINDOW, human_time};
use crate::run::rate::RateWindow;
use crate::run::screen::Verbosity;

/// The progress of games that are played side by side.
#[derive(Debug)]
pub(crate) struct GameProgress {
    n_games: usize,
    n_side_by_side: usize,
    began: Instant,
    rate: RateWindow,
    view: View,
}

/// What has been played.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PlayedSoFar {
    /// Agent steps, those of games that go on included.
    pub(crate) n_steps: u64,
    /// Games that are over.
    pub(crate) n_games: usize,
    /// The sum of their raw scores.
    pub(crate) score_sum: f64,
}

impl GameProgress {
    /// The progress of `n_games` that begin now, `n_side_by_side` at once.
    pub(crate) fn new(n_games: usize, n_side_by_side: usize, verbosity: Verbosity) -> Self {
        let now = Instant::now();
        let mut rate = RateWindow::new(RATE_WINDOW);
        rate.record(now, 0);
        Self {
            n_games,
            n_side_by_side,
            began: now,
            rate,
            view: View::new(n_games as u64, 0, verbosity),
        }
    }

    /// Notes how far the games have come, and shows it when it is time to. Cheap enough for every step.
    pub(crate) fn update(&mut self, so_far: PlayedSoFar) {
        let now = Instant::now();
        self.rate.record(now, so_far.n_steps);
        let per_second = self.rate.per_second();
        let is_typical = so_far.n_games >= self.n_side_by_side;
        let elapsed = is_typical.then(|| now.duration_since(self.began));
        let n_games = self.n_games;
        self.view.show(now, so_far.n_games as u64, || {
            status(so_far, n_games, per_second, elapsed)
        });
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.view.finish();
    }
}

/// Everything but the percentage and the bar; `elapsed` if a time left can be told from it.
#[expect(
    clippy::cast_precision_loss,
    reason = "there are far fewer games than 2^52"
)]
fn status(
    so_far: PlayedSoFar,
    n_games: usize,
    per_second: Option<f64>,
    elapsed: Option<Duration>,
) -> String {
    let n_over = so_far.n_games as f64;
    let speed = per_second.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
    let left = elapsed.filter(|_| so_far.n_games > 0).and_then(|elapsed| {
        let per_game = elapsed.as_secs_f64() / n_over;
        let n_left = n_games.saturating_sub(so_far.n_games) as f64;
        Duration::try_from_secs_f64(per_game * n_left).ok()
    });
    let left = left.map_or_else(|| "-".to_owned(), human_time);
    let mean = match so_far.n_games {
        0 => "-".to_owned(),
        _ => format!("{:.1}", so_far.score_sum / n_over),
    };
    format!(
        "{}/{n_games} games | {speed} steps/s | {left} left | mean score {mean}",
        so_far.n_games
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_says_how_many_how_fast_how_long_and_how_good() {
        let so_far = PlayedSoFar {
            n_steps: 40_000,
            n_games: 20,
            score_sum: 16_250.0,
        };
        let text = status(so_far, 100, Some(1_543.2), Some(Duration::from_secs(30)));
        assert_eq!(
            text,
            "20/100 games | 1543 steps/s | 2m 00s left | mean score 812.5"
        );
    }

    #[test]
    fn what_is_not_known_yet_is_a_dash() {
        let nothing = PlayedSoFar::default();
        let text = status(nothing, 5, None, Some(Duration::ZERO));
        assert_eq!(text, "0/5 games | - steps/s | - left | mean score -");
        let short_ones = PlayedSoFar {
            n_steps: 100,
            n_games: 2,
            score_sum: -42.0,
        };
        let text = status(short_ones, 5, Some(50.0), None);
        assert_eq!(text, "2/5 games | 50 steps/s | - left | mean score -21.0");
    }
}
