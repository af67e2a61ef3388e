//! The agent of a plan, whichever it is, with observations of its world's size.

use anyhow::Result;
use rand::Rng as _;
use rlrun_agents::a2c::{self, A2c};
use rlrun_agents::dqn::{self, Dqn};
use rlrun_agents::stream::{Consumer, stream};
use rlrun_agents::task::Task;
use rlrun_nn::Flops;

use crate::plan::{AgentPlan, Plan};
use crate::train::setup::{env_config, task};

/// An agent.
pub(super) enum Agent {
    /// Advantage actor-critic.
    A2c(Box<A2c>),
    /// Deep Q-learning.
    Dqn(Box<Dqn>),
}

/// A second handle of an agent's network, for a thread of its own.
pub(super) enum Net {
    /// Of A2C.
    A2c(a2c::Replica),
    /// Of DQN.
    Dqn(dqn::Replica),
}

impl Agent {
    /// The agent that `plan` describes, as new; its step size is zero, so that its weights stay as they are.
    ///
    /// # Errors
    /// If the network does not fit the world.
    pub(super) fn new(plan: &Plan) -> Result<Self> {
        tch::set_num_threads(1);
        let (torso, task, seed) = (&plan.torso, task_of(plan)?, plan.seed);
        let compute = plan.learner.compute();
        Ok(match &plan.agent {
            AgentPlan::A2c(config) => {
                let mut config = config.clone();
                config.learning_rate = 0.0;
                Self::A2c(Box::new(A2c::new(config, torso, task, compute, seed)?))
            }
            AgentPlan::Dqn(config, _) => {
                let mut config = config.clone();
                config.learning_rate = 0.0;
                Self::Dqn(Box::new(Dqn::new(config, torso, task, compute, seed)?))
            }
        })
    }

    /// Floating-point operations of its network.
    pub(super) fn flops(&self) -> Flops {
        match self {
            Self::A2c(agent) => agent.flops(),
            Self::Dqn(agent) => agent.flops(),
        }
    }

    /// A handle of its network.
    pub(super) fn net(&self) -> Net {
        match self {
            Self::A2c(agent) => Net::A2c(agent.replica()),
            Self::Dqn(agent) => Net::Dqn(agent.replica()),
        }
    }
}

impl Net {
    /// A forward pass as acting needs it: from bytes to numbers on this side.
    pub(super) fn pass(&self, obs: &[u8], values: &mut Vec<f32>) {
        match self {
            Self::A2c(replica) => replica.act(obs, values),
            Self::Dqn(replica) => replica.q_values(obs, values),
        }
    }
}

/// The sizes of what `plan` learns in.
///
/// # Errors
/// If there is no such game.
pub(super) fn task_of(plan: &Plan) -> Result<Task> {
    Ok(task(&env_config(plan, 1, 1)?))
}

/// Observations without a pattern, one after the other. Features are bytes of small numbers, so that they are finite.
pub(super) fn random_obs(task: Task, n: usize) -> Vec<u8> {
    let mut obs = vec![0; n * task.obs_shape.n_bytes()];
    stream(1, Consumer::Evaluation, 0, 0).fill_bytes(&mut obs);
    if let rlrun_nn::ObsShape::Features(_) = task.obs_shape {
        for feature in obs.chunks_exact_mut(size_of::<f32>()) {
            let value = f32::from(feature[0]) / 255.0;
            feature.copy_from_slice(&value.to_le_bytes());
        }
    }
    obs
}
