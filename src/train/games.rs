//! Full games told apart in the stream of rollouts, and their raw scores summed up.

use rlrun_agents::rollout::Rollout;
use rlrun_envs::GameSoFar;

/// The games that are being played, one per environment.
#[derive(Debug)]
pub(crate) struct GamesInPlay {
    games: Vec<GameSoFar>,
    place: Place,
}

/// Where a worker's environments stand among those of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Number of the worker's first environment.
    pub(crate) first_env: usize,
    /// Environments of the whole run.
    pub(crate) n_envs_total: usize,
}

/// A game that was played to its end, or to its time limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FinishedGame {
    /// Steps of the whole run when it ended.
    pub(crate) step: u64,
    /// Environment it was played in.
    pub(crate) env: usize,
    /// Sum of its raw rewards.
    pub(crate) score: f64,
    /// Agent steps it took.
    pub(crate) length_steps: u64,
}

impl GamesInPlay {
    /// The games that the environments are in.
    pub(crate) fn new(games: Vec<GameSoFar>, place: Place) -> Self {
        Self { games, place }
    }

    /// Adds a rollout that began when the run had taken `first_step` steps, and returns the games that ended in it, in the
    /// order of steps and environments, whatever order the actors reported in.
    pub(crate) fn add(&mut self, rollout: &Rollout, first_step: u64) -> Vec<FinishedGame> {
        let n_envs = rollout.n_envs();
        let mut finished = Vec::new();
        for (idx, (&reward, &game_over)) in
            rollout.reward.iter().zip(&rollout.game_over).enumerate()
        {
            let (t, env) = (idx / n_envs, idx % n_envs);
            if let Some(game) = self.games[env].step(reward, game_over) {
                finished.push(FinishedGame {
                    step: first_step + ((t + 1) * self.place.n_envs_total) as u64,
                    env: self.place.first_env + env,
                    score: game.score,
                    length_steps: game.length_steps,
                });
            }
        }
        finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_game_goes_on_over_rollouts_and_lost_lives() {
        let mut games = GamesInPlay::new(
            vec![GameSoFar::default(); 2],
            Place {
                first_env: 4,
                n_envs_total: 8,
            },
        );
        let mut rollout = Rollout::new(2, 2, 1);
        rollout.reward = vec![1.0, 10.0, 2.0, 20.0];
        rollout.terminated = vec![true, false, false, false];
        assert!(games.add(&rollout, 0).is_empty());

        rollout.game_over = vec![false, true, true, false];
        let expected = [
            FinishedGame {
                step: 24,
                env: 5,
                score: 40.0,
                length_steps: 3,
            },
            FinishedGame {
                step: 32,
                env: 4,
                score: 6.0,
                length_steps: 4,
            },
        ];
        assert_eq!(games.add(&rollout, 16), expected);
    }
}
