//! The rows of a run's tables.

use serde::{Deserialize, Serialize};

use super::table::Row;

/// A finished game, in `episodes.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EpisodeRow {
    /// Number of the game in this run, from 1.
    pub(crate) episode: u64,
    /// Agent steps of the whole run when the game ended.
    pub(crate) step: u64,
    /// Index of its environment, from 0.
    pub(crate) env: usize,
    /// Raw score of the full game, never clipped.
    pub(crate) score: f64,
    /// Its length in agent steps.
    pub(crate) length_steps: u64,
    /// Its length in emulator frames.
    pub(crate) length_frames: u64,
    /// Wall seconds of training when it ended, all processes of the run.
    pub(crate) wall_seconds: f64,
}

/// A game of an evaluation, in `evaluations.csv`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EvaluationRow {
    /// Number of the game in its evaluation, from 1.
    pub(crate) game: usize,
    /// Agent steps of the training after which the agent that played was as it is.
    pub(crate) step: u64,
    /// Raw score of the full game.
    pub(crate) score: f64,
    /// Its length in agent steps.
    pub(crate) length_steps: u64,
}

impl Row for EpisodeRow {
    const HEADER: &'static str = "episode,step,env,score,length_steps,length_frames,wall_seconds\n";

    fn line(&self) -> String {
        let Self {
            episode,
            step,
            env,
            score,
            length_steps,
            length_frames,
            wall_seconds,
        } = self;
        format!("{episode},{step},{env},{score},{length_steps},{length_frames},{wall_seconds:.3}\n")
    }
}

impl Row for EvaluationRow {
    const HEADER: &'static str = "game,step,score,length_steps\n";

    fn line(&self) -> String {
        let Self {
            game,
            step,
            score,
            length_steps,
        } = self;
        format!("{game},{step},{score},{length_steps}\n")
    }
}
