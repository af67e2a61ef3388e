//! The explorer: acts epsilon-greedily with a copy of the network.

use rlrun_agents::dqn::{Actor, DqnConfig, greedy, random_action};
use rlrun_agents::stream::{Consumer, stream};

use crate::train::collect::Behaviour;

/// Chooses actions with the parameters it was last given. It travels between the learner, who refreshes it, and the collector.
pub(crate) struct Explorer {
    actor: Actor,
    epsilon: Epsilon,
    n_actions: usize,
    seed: u64,
    random: Vec<Option<u8>>,
    values: Vec<f32>,
}

/// How often an action is random.
#[derive(Clone, Debug)]
pub(crate) enum Epsilon {
    /// As the schedule of the training says.
    Scheduled(DqnConfig),
    /// As often all the time.
    OfEvaluation(f64),
}

impl Explorer {
    /// An explorer with the parameters of `actor`, under the streams of `seed`.
    pub(crate) fn new(actor: Actor, epsilon: Epsilon, n_actions: usize, seed: u64) -> Self {
        Self {
            actor,
            epsilon,
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
        let (epsilon, consumer) = match &self.epsilon {
            Epsilon::Scheduled(config) => (config.epsilon_at(step), Consumer::Exploration),
            Epsilon::OfEvaluation(epsilon) => (*epsilon, Consumer::Evaluation),
        };
        let draw = |env| {
            let mut rng = stream(self.seed, consumer, step, env);
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
