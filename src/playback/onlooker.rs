//! Who looks on while a game is played again: what the network sees of it, and what the checkpoint nearest to the game thinks.
//!
//! A grey environment plays beside the coloured one, under the same seed and actions. The agent that played
//! had other parameters at every update; those of a checkpoint are the nearest there are, and the panel names their step.

use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::Result;
use rlrun_agents::a2c::{self, A2c};
use rlrun_agents::dqn::{self, Dqn};
use rlrun_envs::{BatchEnv, EnvConfig, GameSoFar, ObsShape, StepBatch, World, make};
use tch::{Device, Tensor};

use crate::config::grouped;
use crate::plan::{AgentPlan, Plan};
use crate::run::checkpoint_meta::CheckpointMeta;
use crate::run::checkpoint_store::load_nearest;
use crate::run::folder::CHECKPOINTS;
use crate::run::screen::Screen;
use crate::train::setup::task;
use crate::video::{Distribution, Input, Panel};

/// Looks on.
pub(super) struct Onlooker {
    env: Box<dyn BatchEnv>,
    batch: StepBatch,
    names: Vec<&'static str>,
    mind: Option<Mind>,
}

/// Thinks about what is seen.
struct Mind {
    net: Net,
    /// Whose thoughts these are.
    source: String,
    /// Probabilities or values of all actions in the state that is seen.
    numbers: Vec<f32>,
    /// What the state is worth, one number.
    value: Vec<f32>,
}

enum Net {
    A2c(Box<a2c::Replica>),
    Dqn(Box<dqn::Replica>),
}

impl Onlooker {
    /// One for a game that is played after a reset with `seed`, in the run folder `dir`, at these steps of the run. Without a
    /// checkpoint it sees and does not think.
    ///
    /// # Errors
    /// The environment cannot be made, or the checkpoint is of another agent than the plan's.
    pub(super) fn new(
        dir: &Path,
        plan: &Plan,
        config: &EnvConfig,
        seed: u32,
        steps: &RangeInclusive<u64>,
        screen: &Screen,
    ) -> Result<Self> {
        let mut env = make(config)?;
        let mut batch = StepBatch::new(env.spec());
        env.reset(&[seed], &mut batch)?;
        let mind = match load_nearest::<CheckpointMeta>(&dir.join(CHECKPOINTS), steps) {
            Ok(loaded) => {
                let checkpoint = loaded.checkpoint;
                let net = Net::new(plan, config, &checkpoint.tensors)?;
                Some(Mind {
                    net,
                    source: format!("policy of step {}", grouped(checkpoint.step)),
                    numbers: Vec::new(),
                    value: Vec::new(),
                })
            }
            Err(error) => {
                screen.warn(&format!("the panel shows no policy: {error}"));
                None
            }
        };
        let names = match config.world {
            World::Atari(game) => game.action_names(&config.protocol),
            World::Classic(_) | World::Probe(_) => Vec::new(),
        };
        Ok(Self {
            env,
            batch,
            names,
            mind,
        })
    }

    /// Plays on by one step.
    ///
    /// # Errors
    /// If the emulator failed.
    pub(super) fn step(&mut self, action: u8) -> Result<()> {
        self.env.send(&[action])?;
        self.env.recv(&mut self.batch)?;
        Ok(())
    }

    /// Thinks about what is seen now.
    pub(super) fn think(&mut self) {
        if let Some(mind) = &mut self.mind {
            mind.think(&self.batch.obs);
        }
    }

    /// What is shown beside a picture: what was seen and thought before `action`, which led to the picture, and how far the
    /// game has come with it.
    pub(super) fn panel(&self, game: GameSoFar, action: Option<u8>) -> Panel<'_> {
        let mind = self.mind.as_ref();
        let input = match self.env.spec().obs_shape {
            ObsShape::Frames(shape) => Some(Input {
                bytes: &self.batch.obs,
                shape,
            }),
            ObsShape::Features(_) => None,
        };
        Panel {
            score: game.score,
            step: game.length_steps,
            action: action.map(usize::from),
            names: &self.names,
            distribution: mind.map(Mind::distribution),
            source: mind.map(|mind| &*mind.source),
            value: mind.and_then(|mind| mind.value.first().copied()),
            input,
        }
    }
}

impl Mind {
    fn think(&mut self, obs: &[u8]) {
        let Self { numbers, value, .. } = self;
        match &self.net {
            Net::A2c(net) => {
                net.act(obs, numbers);
                to_probabilities(numbers);
                net.values(obs, value);
            }
            Net::Dqn(net) => {
                net.q_values(obs, numbers);
                *value = vec![numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max)];
            }
        }
    }

    fn distribution(&self) -> Distribution<'_> {
        match self.net {
            Net::A2c(_) => Distribution::Probabilities(&self.numbers),
            Net::Dqn(_) => Distribution::QValues(&self.numbers),
        }
    }
}

impl Net {
    /// The plan's network with the parameters in `tensors`, on the CPU.
    ///
    /// # Errors
    /// If they are of another network.
    fn new(plan: &Plan, config: &EnvConfig, tensors: &[(String, Tensor)]) -> Result<Self> {
        tch::set_num_threads(1);
        let (torso, task) = (&plan.torso, task(config));
        match &plan.agent {
            AgentPlan::A2c(agent) => {
                let mut agent = A2c::new(agent.clone(), torso, task, Device::Cpu, plan.seed)?;
                agent.load_state(tensors)?;
                Ok(Self::A2c(Box::new(agent.replica())))
            }
            AgentPlan::Dqn(agent, _) => {
                let mut agent = Dqn::new(agent.clone(), torso, task, Device::Cpu, plan.seed)?;
                agent.load_state(tensors)?;
                Ok(Self::Dqn(Box::new(agent.replica())))
            }
        }
    }
}

/// softmax of `logits`, in place.
fn to_probabilities(logits: &mut [f32]) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    logits
        .iter_mut()
        .for_each(|logit| *logit = (*logit - max).exp());
    let sum: f32 = logits.iter().sum();
    logits.iter_mut().for_each(|weight| *weight /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logits_become_the_probabilities_that_actions_are_drawn_with() {
        let mut logits = [1e4, 1e4 + 3.0_f32.ln(), f32::NEG_INFINITY];
        to_probabilities(&mut logits);
        for (got, expected) in logits.into_iter().zip([0.25, 0.75, 0.0]) {
            // The logits themselves are rounded to a thousandth.
            assert!((got - expected).abs() < 1e-3, "{logits:?}");
        }
    }
}
