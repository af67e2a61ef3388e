//! Synchronous advantage actor-critic (A2C).
//!
//! Source: Mnih et al. 2016 (arXiv 1602.01783), made synchronous by Baselines (Wu et al. 2017, arXiv 1708.05144): all
//! environments take n steps under the same parameters, then one update follows. The hyper-parameters and where
//! each comes from stand in `configs/a2c.toml`.
//!
//! ```text
//! A2c --replica()--> Replica, one per share of the environments
//!  ^                   act -> a rollout of n steps -> gradient
//!  '---apply(gradients of all shares)------------------'
//! ```
//!
//! Deviations from Baselines: a return that a time limit cuts off bootstraps ([`crate::returns`]); actions are sampled
//! under keyed streams ([`crate::policy`]).

mod config;
mod loss;
mod replica;
mod share;

pub use config::{A2cConfig, Schedule};
pub use replica::{Keep, Replica};
use rlrun_nn::optim::{RmsPropTf, RmsPropTfConfig, Summed, clip_scale};
use rlrun_nn::{ActorCritic, Captured, Compute, Flops, NnError, Params, TorsoConfig};
pub use share::ShareGradient;
use tch::{Device, Tensor};
use thiserror::Error;

use crate::stream::{Consumer, stream};
use crate::task::Task;

/// The agent: its network, its optimizer, its hyper-parameters.
#[derive(Debug)]
pub struct A2c {
    config: A2cConfig,
    torso: TorsoConfig,
    task: Task,
    params: Params,
    network: ActorCritic,
    optimizer: RmsPropTf,
}

/// What an update did. Scalars are means over the batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpdateStats {
    /// - mean of log pi(a|s) (R - V(s)).
    pub policy_loss: f64,
    /// Mean of (R - V(s))^2.
    pub value_loss: f64,
    /// Mean entropy of the policy, in nats.
    pub entropy: f64,
    /// Global L2 norm of the gradient before it was clipped.
    pub grad_norm: f64,
    /// 1 - Var(R - V) / Var(R): 1 is a perfect critic, 0 one that knows the mean only. Not finite where R does not vary.
    pub explained_variance: f64,
    /// Step size that was used.
    pub learning_rate: f64,
}

/// What can go wrong with an agent.
#[derive(Debug, Error)]
pub enum A2cError {
    /// The network does not fit the task, or saved tensors do not fit the network.
    #[error(transparent)]
    Network(#[from] NnError),
    /// The gradient is infinite or not a number; the weights are those of before the update.
    #[error(
        "the gradient at step {step} is not finite (norm {norm}): training has diverged; start anew with a smaller a2c.learning_rate"
    )]
    Diverged {
        /// Steps taken before the update.
        step: u64,
        /// Norm of the gradient.
        norm: f64,
    },
}

const NETWORK: &str = "network/";
const OPTIMIZER: &str = "optimizer/";

impl A2c {
    /// A new agent whose initial weights follow from `seed`.
    ///
    /// # Errors
    /// If the torso is not made for the observations.
    pub fn new(
        config: A2cConfig,
        torso: &TorsoConfig,
        task: Task,
        compute: impl Into<Compute>,
        seed: u64,
    ) -> Result<Self, A2cError> {
        let mut params = Params::new(compute);
        let mut rng = stream(seed, Consumer::Initialisation, 0, 0);
        let network =
            ActorCritic::new(&mut params, torso, task.obs_shape, task.n_actions, &mut rng)?;
        if params.device() != Device::Cpu {
            params.lay_out();
        }
        let rmsprop = RmsPropTfConfig {
            decay: config.rmsprop_decay,
            epsilon: config.rmsprop_epsilon,
        };
        let optimizer = RmsPropTf::new(rmsprop, &params);
        Ok(Self {
            config,
            torso: *torso,
            task,
            params,
            network,
            optimizer,
        })
    }

    /// Floating-point operations of the network.
    pub fn flops(&self) -> Flops {
        self.network.flops()
    }

    /// Something that acts and computes gradients under this agent's parameters.
    ///
    /// It may be sent to another thread. It must rest while [`Self::apply`] changes the parameters.
    pub fn replica(&self) -> Replica {
        Replica {
            config: self.config.clone(),
            task: self.task,
            device: self.params.device(),
            network: self.network.share(),
            params: self.params.leaves(),
            kept: Vec::new(),
            scratch: replica::Scratch::default(),
            passes: Captured::default(),
            learning: Captured::default(),
        }
    }

    /// Something that acts under a copy of `weights`, which are what [`Self::weights`] gave now or earlier. It may be sent to
    /// another thread.
    ///
    /// # Errors
    /// They are not those of this agent's network.
    pub fn copy(&self, weights: &[(String, Tensor)]) -> Result<Replica, A2cError> {
        let mut copy = Self::new(
            self.config.clone(),
            &self.torso,
            self.task,
            self.params.compute(),
            0,
        )?;
        copy.params.load(weights)?;
        Ok(copy.replica())
    }

    /// The update from the gradients of all shares, in their order, at `step` of `total_steps`.
    ///
    /// # Errors
    /// [`A2cError::Diverged`], with the weights as they were.
    pub fn apply(
        &mut self,
        gradients: Vec<ShareGradient>,
        step: u64,
        total_steps: u64,
    ) -> Result<UpdateStats, A2cError> {
        let schedule = self.config.learning_rate_schedule;
        let learning_rate = schedule.at(self.config.learning_rate, step, total_steps);
        let (summed, terms) = ShareGradient::sum(gradients);
        let Summed {
            grads,
            norm: grad_norm,
        } = summed;
        if !grad_norm.is_finite() {
            return Err(A2cError::Diverged {
                step,
                norm: grad_norm,
            });
        }
        let scale = clip_scale(grad_norm, self.config.max_grad_norm);
        self.optimizer
            .step_scaled(&self.params, &grads, learning_rate, scale);
        Ok(UpdateStats {
            policy_loss: terms.policy_loss,
            value_loss: terms.value_loss,
            entropy: terms.entropy,
            grad_norm,
            explained_variance: terms.explained_variance(),
            learning_rate,
        })
    }

    /// Everything that has to be saved: the network's parameters and the optimizer's state.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let network = self
            .params
            .iter()
            .map(|(name, tensor)| (format!("{NETWORK}{name}"), tensor.detach()));
        let optimizer = self.optimizer.state().into_iter();
        network
            .chain(optimizer.map(|(name, tensor)| (format!("{OPTIMIZER}{name}"), tensor)))
            .collect()
    }

    /// The network's parameters, in order.
    pub fn weights(&self) -> Vec<(String, Tensor)> {
        let detached = self
            .params
            .iter()
            .map(|(name, tensor)| (name.to_owned(), tensor.detach()));
        detached.collect()
    }

    /// Takes back what [`Self::state`] gave.
    ///
    /// # Errors
    /// If names or shapes do not fit this agent. It is then unusable.
    pub fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<(), A2cError> {
        let part = |prefix: &str| -> Vec<(String, Tensor)> {
            let named = state.iter().filter_map(|(name, tensor)| {
                let name = name.strip_prefix(prefix)?;
                Some((name.to_owned(), tensor.shallow_clone()))
            });
            named.collect()
        };
        self.params.load(&part(NETWORK))?;
        self.optimizer.load_state(&part(OPTIMIZER))?;
        Ok(())
    }
}
