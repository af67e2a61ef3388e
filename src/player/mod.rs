//! An agent out of a run folder that plays and learns nothing.
//!
//! Every game has a number, and plays what follows from (seed, number) alone: the seed of its environment, the draws behind its
//! actions, and even the rounding of its network, which on a CPU depends on the size of a batch and the place in it. So a forward pass
//! always has [`ROWS`] rows, and game k always stands in row k mod [`ROWS`]. How many games are played side by side changes nothing.

mod saved;

use std::fmt;

use anyhow::Result;
use rlrun_agents::a2c::{self, A2c};
use rlrun_agents::dqn::{self, Dqn, greedy, random_action};
use rlrun_agents::policy;
use rlrun_agents::stream::{Consumer, derived_seed, stream};
use rlrun_agents::task::Task;
use rlrun_envs::env_seed;
use serde::Serialize;
use tch::Tensor;

pub(crate) use saved::{SavedAgent, Which};

use crate::plan::{AgentPlan, Plan};
use crate::request::RequestError;
use crate::train::setup::does_not_fit;

/// Observations of a forward pass.
const ROWS: usize = 8;
/// The games here have nothing in common with those of the evaluations beside a training, which have the step of the training in
/// this place.
const APART: u64 = u64::MAX;

/// How actions are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Rule {
    /// What is done where no random action is taken.
    pub(crate) policy: PolicyKind,
    /// How often an action is one of all, each as likely.
    pub(crate) epsilon: f64,
}

/// What is done with the numbers that the network gives for the actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PolicyKind {
    /// The action of the greatest.
    Greedy,
    /// An action drawn with the policy's probabilities.
    Stochastic,
}

/// What was asked of the rule.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AskedRule {
    /// `--greedy` or `--stochastic`.
    pub(crate) policy: Option<PolicyKind>,
    /// `--epsilon`.
    pub(crate) epsilon: Option<f64>,
}

/// An agent that plays.
pub(crate) struct Player {
    net: Net,
    task: Task,
    n_actions: usize,
    rule: Rule,
    master: u64,
    /// `[ROWS, obs]`: what a forward pass sees.
    rows: Vec<u8>,
}

/// The network of an agent.
enum Net {
    A2c(Box<a2c::Replica>),
    Dqn(Box<dqn::Actor>),
}

/// A game whose next action is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Move<'a> {
    /// Number of the game.
    pub(crate) game: usize,
    /// Steps taken in it.
    pub(crate) t: u64,
    /// What is seen.
    pub(crate) obs: &'a [u8],
}

/// What the network made of an observation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Look {
    /// Logits of a policy, or values of the actions.
    pub(crate) outputs: Vec<f32>,
    /// The value of the state, of a network that gives one.
    pub(crate) value: Option<f32>,
}

impl Rule {
    /// The rule that was asked for; where nothing was, that of the evaluations beside the training.
    ///
    /// # Errors
    /// The agent has no such policy.
    pub(crate) fn new(agent: &AgentPlan, asked: AskedRule) -> Result<Self, RequestError> {
        let (policy, epsilon) = match (agent, asked.policy) {
            (AgentPlan::A2c(_), policy) => (policy.unwrap_or(PolicyKind::Stochastic), 0.0),
            (AgentPlan::Dqn(config, _), None) => (PolicyKind::Greedy, config.eval_epsilon),
            (AgentPlan::Dqn(..), Some(PolicyKind::Greedy)) => (PolicyKind::Greedy, 0.0),
            (AgentPlan::Dqn(..), Some(PolicyKind::Stochastic)) => {
                return Err(RequestError::new(
                    "--stochastic: dqn has values and no probabilities to draw from; --epsilon E takes a random action now and then",
                ));
            }
        };
        Ok(Self {
            policy,
            epsilon: asked.epsilon.unwrap_or(epsilon),
        })
    }

    /// The rule as a part of a file's name: `stochastic`, `greedy-epsilon0.01`.
    pub(crate) fn file_name(self) -> String {
        let policy = self.policy.as_str();
        match self.epsilon {
            0.0 => policy.to_owned(),
            epsilon => format!("{policy}-epsilon{epsilon}"),
        }
    }

    fn choose(self, outputs: &[f32], rng: &mut impl rand::Rng) -> u8 {
        random_action(outputs.len(), self.epsilon, rng).unwrap_or_else(|| match self.policy {
            PolicyKind::Greedy => greedy(outputs),
            PolicyKind::Stochastic => policy::sample(outputs, rng),
        })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.policy.as_str())?;
        match self.epsilon {
            0.0 => Ok(()),
            epsilon => write!(f, " with epsilon {epsilon}"),
        }
    }
}

impl PolicyKind {
    /// The name on the command line and in files.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Greedy => "greedy",
            Self::Stochastic => "stochastic",
        }
    }
}

impl Player {
    /// The agent of `plan` with the state of a checkpoint, that plays the games of `seed`.
    ///
    /// # Errors
    /// A [`RequestError`] if the state is not that of such an agent.
    pub(crate) fn new(
        plan: &Plan,
        task: Task,
        state: &[(String, Tensor)],
        rule: Rule,
        seed: u64,
    ) -> Result<Self> {
        // Rounding depends on the number of threads.
        tch::set_num_threads(1);
        let compute = plan.learner.compute();
        let net = match &plan.agent {
            AgentPlan::A2c(config) => {
                let mut agent = A2c::new(config.clone(), &plan.torso, task, compute, 0)?;
                agent
                    .load_state(state)
                    .map_err(|error| does_not_fit(&error))?;
                Net::A2c(Box::new(agent.replica()))
            }
            AgentPlan::Dqn(config, _) => {
                let mut agent = Dqn::new(config.clone(), &plan.torso, task, compute, 0)?;
                agent
                    .load_state(state)
                    .map_err(|error| does_not_fit(&error))?;
                Net::Dqn(Box::new(agent.actor()?))
            }
        };
        Ok(Self {
            net,
            task,
            n_actions: usize::try_from(task.n_actions).expect("there are a few actions"),
            rule,
            master: derived_seed(seed, Consumer::Evaluation, APART),
            rows: Vec::new(),
        })
    }

    /// The seed of a game's environment.
    pub(crate) fn env_seed(&self, game: usize) -> u32 {
        env_seed(self.master, game)
    }

    /// The action of each move.
    pub(crate) fn choose(&mut self, moves: &[Move<'_>]) -> Vec<u8> {
        let looks = self.look(moves);
        let chosen = moves.iter().zip(looks);
        chosen
            .map(|(one, look)| self.action(one, &look.outputs))
            .collect()
    }

    /// The action of a move whose observation was looked at.
    pub(crate) fn action(&self, one: &Move<'_>, outputs: &[f32]) -> u8 {
        let mut rng = stream(self.master, Consumer::Evaluation, one.t, one.game as u64);
        self.rule.choose(outputs, &mut rng)
    }

    /// What the network makes of each move's observation.
    pub(crate) fn look(&mut self, moves: &[Move<'_>]) -> Vec<Look> {
        let mut looks = vec![Look::default(); moves.len()];
        let mut waiting: Vec<usize> = (0..moves.len()).collect();
        let obs_len = self.task.obs_shape.n_bytes();
        while !waiting.is_empty() {
            let mut seated = [None; ROWS];
            // Games that share a row have to wait for one another.
            waiting.retain(|&idx| {
                let seat = &mut seated[moves[idx].game % ROWS];
                let has_to_wait = seat.is_some();
                seat.get_or_insert(idx);
                has_to_wait
            });
            self.rows.clear();
            self.rows.resize(ROWS * obs_len, 0);
            for (row, seat) in self.rows.chunks_exact_mut(obs_len).zip(seated) {
                if let Some(idx) = seat {
                    row.copy_from_slice(moves[idx].obs);
                }
            }
            let seen = self.look_at(&self.rows);
            for (look, seat) in seen.into_iter().zip(seated) {
                if let Some(idx) = seat {
                    looks[idx] = look;
                }
            }
        }
        looks
    }

    /// What the network makes of any number of observations \[b, obs\], in one pass.
    pub(crate) fn look_at(&self, obs: &[u8]) -> Vec<Look> {
        let (mut outputs, mut values) = (Vec::new(), Vec::new());
        match &self.net {
            Net::A2c(replica) => replica.look(obs, &mut outputs, &mut values),
            Net::Dqn(actor) => actor.q_values(obs, &mut outputs),
        }
        let rows = outputs.chunks_exact(self.n_actions).enumerate();
        rows.map(|(row, outputs)| Look {
            outputs: outputs.to_vec(),
            value: values.get(row).copied(),
        })
        .collect()
    }

    /// How it chooses.
    pub(crate) fn rule(&self) -> Rule {
        self.rule
    }
}

impl Look {
    /// The probabilities of a policy with these logits.
    pub(crate) fn probabilities(&self) -> Vec<f32> {
        let most = self
            .outputs
            .iter()
            .copied()
            .fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f32> = self.outputs.iter().map(|&x| (x - most).exp()).collect();
        let total: f32 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / total).collect()
    }
}

#[cfg(test)]
mod tests;
