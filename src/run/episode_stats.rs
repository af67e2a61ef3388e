//! What the last 100 games were like.
//!
//! Scores are raw scores of full games, as everywhere in the logs. The statistics go into the checkpoint, so that the
//! mean of the last 100 games does not start anew after a resume.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Over how many games the means are taken, as in Stable-Baselines3 and Baselines.
pub(crate) const WINDOW_GAMES: usize = 100;

/// A finished game.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GameResult {
    /// Raw score.
    pub(crate) score: f64,
    /// Length in agent steps.
    pub(crate) length_steps: u64,
}

/// Statistics of the games of a run so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EpisodeStats {
    n_games: u64,
    window: VecDeque<GameResult>,
    best_mean_score: Option<f64>,
}

/// Whether a game made the mean of the last 100 games the best so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BestMean {
    /// The mean is now higher than it ever was.
    Raised,
    /// It is not, or fewer than 100 games are over.
    NotRaised,
}

impl EpisodeStats {
    /// Counts a finished game.
    ///
    /// The best mean counts from the 100th game on: a mean over a few games is mostly luck, and would stay the best.
    pub(crate) fn push(&mut self, game: GameResult) -> BestMean {
        self.n_games += 1;
        self.window.push_back(game);
        if self.window.len() > WINDOW_GAMES {
            self.window.pop_front();
        }
        let (Some(mean), true) = (self.mean_score(), self.window.len() == WINDOW_GAMES) else {
            return BestMean::NotRaised;
        };
        if self.best_mean_score.is_some_and(|best| best >= mean) {
            return BestMean::NotRaised;
        }
        self.best_mean_score = Some(mean);
        BestMean::Raised
    }

    /// All finished games of the run.
    pub(crate) fn n_games(&self) -> u64 {
        self.n_games
    }

    /// Mean raw score of the last 100 games (`rollout/ep_rew_mean`); none before the first game is over.
    pub(crate) fn mean_score(&self) -> Option<f64> {
        self.mean(|game| game.score)
    }

    /// Mean length of the last 100 games in agent steps (`rollout/ep_len_mean`).
    #[expect(
        clippy::cast_precision_loss,
        reason = "a game is far shorter than 2^52 steps"
    )]
    pub(crate) fn mean_length_steps(&self) -> Option<f64> {
        self.mean(|game| game.length_steps as f64)
    }

    /// The best mean raw score of 100 games in a row.
    pub(crate) fn best_mean_score(&self) -> Option<f64> {
        self.best_mean_score
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the window holds at most 100 games"
    )]
    fn mean(&self, value: impl Fn(&GameResult) -> f64) -> Option<f64> {
        (!self.window.is_empty())
            .then(|| self.window.iter().map(value).sum::<f64>() / self.window.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn game(score: f64) -> GameResult {
        GameResult {
            score,
            length_steps: 10,
        }
    }

    #[test]
    fn before_the_first_game_there_is_no_mean() {
        let stats = EpisodeStats::default();
        assert_eq!(stats.mean_score(), None);
        assert_eq!(stats.mean_length_steps(), None);
    }

    #[test]
    fn the_mean_is_over_the_last_hundred_games() {
        let mut stats = EpisodeStats::default();
        for score in 0..150 {
            stats.push(game(f64::from(score)));
        }
        assert_eq!(stats.n_games(), 150);
        assert_eq!(stats.mean_score(), Some(99.5));
        assert_eq!(stats.mean_length_steps(), Some(10.0));
    }

    #[test]
    fn the_best_mean_counts_from_the_hundredth_game_and_never_falls() {
        let mut stats = EpisodeStats::default();
        for _ in 0..99 {
            assert_eq!(stats.push(game(50.0)), BestMean::NotRaised);
        }
        assert_eq!(stats.push(game(50.0)), BestMean::Raised);
        assert_eq!(stats.push(game(50.0)), BestMean::NotRaised);
        assert_eq!(stats.push(game(0.0)), BestMean::NotRaised);
        assert_eq!(stats.best_mean_score(), Some(50.0));
    }

    #[test]
    fn statistics_come_back_from_json_as_they_were() {
        let mut stats = EpisodeStats::default();
        for score in 0..123 {
            stats.push(game(f64::from(score) * 10.0));
        }
        let json = serde_json::to_string(&stats).unwrap();
        assert_eq!(serde_json::from_str::<EpisodeStats>(&json).unwrap(), stats);
    }
}
