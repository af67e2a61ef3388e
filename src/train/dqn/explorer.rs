//! The explorer: acts epsilon-greedily with a copy of the network.

use rlrun_agents::dqn::{Actor, DqnConfig, greedy, random_action};
use rlrun_agents::stream::{Consumer, stream};

use crate::train::collect::Behaviour;

/// Chooses actions with the parameters it was last given. It travels between the learner, who refreshes it, and the collector.
pub(crate) struct Explorer {
    actor: Actor,
    config: DqnConfig,
    n_actions: usize,
    seed: u64,
    random: Vec<Option<u8>>,
    values: Vec<f32>,
}

impl Explorer {
    /// An explorer with the parameters of `actor`, under the streams of `seed`.
    pub(crate) fn new(actor: Actor, config: DqnConfig, n_actions: usize, seed: u64) -> Self {
        Self {
            actor,
            config,
            n_actions,
            seed,
            random: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Takes over the agent's parameters as they are now.
    pub(crate) fn refresh(&mut self) {
        self.actor.refresh();
    }
}

impl Behaviour for Explorer {
    fn choose(&mut self, obs: &[u8], step: u64, first_env: usize, actions: &mut [u8]) {
        let epsilon = self.config.epsilon_at(step);
        let draw = |env| {
            let mut rng = stream(self.seed, Consumer::Exploration, step, env);
            random_action(self.n_actions, epsilon, &mut rng)
        };
        self.random.clear();
        self.random
            .extend((first_env as u64..).take(actions.len()).map(draw));
        if self.random.iter().any(Option::is_none) {
            self.actor.q_values(obs, &mut self.values); // [b, A]
        } else {
            // Nobody will look at them.
            self.values.resize(actions.len() * self.n_actions, 0.0);
        }
        let rows = self.values.chunks_exact(self.n_actions);
        for ((action, random), row) in actions.iter_mut().zip(&self.random).zip(rows) {
            *action = random.unwrap_or_else(|| greedy(row));
        }
    }
}
