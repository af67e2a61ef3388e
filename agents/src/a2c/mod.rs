//! Synchronous advantage actor-critic (A2C).
//!
//! Source: Mnih et al. 2016 (arXiv 1602.01783), made synchronous by Baselines (Wu et al. 2017, arXiv 1708.05144): all
//! environments take n steps under the same parameters, then one update follows. The hyper-parameters and where
//! each comes from stand in `configs/a2c.toml`.
//!
//! Deviations from Baselines: a return that a time limit cuts off bootstraps ([`crate::returns`]); actions are sampled
//! under keyed streams ([`crate::policy`]).

mod config;
mod loss;

use std::time::{Duration, Instant};

pub use config::{A2cConfig, Schedule};
use rlrun_nn::optim::{RmsPropTf, RmsPropTfConfig, clip_scale, global_norm};
use rlrun_nn::{ActorCritic, NnError, Params, TorsoConfig};
use tch::{Device, Kind, Tensor};
use thiserror::Error;

use crate::returns::{Ending, n_step_returns};
use crate::rollout::Rollout;
use crate::stream::{Consumer, stream};

/// What the agent learns in.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// C, H, W of an observation.
    pub obs_shape: [i64; 3],
    /// Number of actions.
    pub n_actions: i64,
    /// Whether the learner sees the sign of the reward instead of the reward.
    pub clip_rewards: bool,
}

/// The agent: its network, its optimizer, its hyper-parameters.
#[derive(Debug)]
pub struct A2c {
    config: A2cConfig,
    task: Task,
    device: Device,
    params: Params,
    network: ActorCritic,
    optimizer: RmsPropTf,
    scratch: Scratch,
}

/// Buffers of an update, kept from one to the next.
#[derive(Debug, Default)]
struct Scratch {
    reward: Vec<f32>,
    ending: Vec<Ending>,
    returns: Vec<f32>,
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
    /// 1 - Var(R - V) / Var(R): 1 is a perfect critic, 0 one that knows the mean only. NaN where R does not vary.
    pub explained_variance: f64,
    /// Step size that was used.
    pub learning_rate: f64,
    /// Time for the returns and the forward pass.
    pub forward_time: Duration,
    /// Time for the backward pass and the optimizer.
    pub backward_time: Duration,
}

/// What can go wrong with an agent.
#[derive(Debug, Error)]
pub enum A2cError {
    /// The network does not fit the task, or saved tensors do not fit the network.
    #[error(transparent)]
    Network(#[from] NnError),
    /// The gradient is infinite or not a number; the weights are those of before the update.
    #[error(
        "the gradient at step {step} is not finite (norm {norm}): training has diverged; try a smaller a2c.learning_rate"
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
    /// If the observations are too small for the torso.
    pub fn new(
        config: A2cConfig,
        torso: &TorsoConfig,
        task: Task,
        device: Device,
        seed: u64,
    ) -> Result<Self, A2cError> {
        let mut params = Params::new(device);
        let mut rng = stream(seed, Consumer::Initialisation, 0, 0);
        let network = ActorCritic::new(
            &mut params,
            torso,
            task.obs_shape,
            task.n_actions,
            &mut rng,
        )?;
        let rmsprop = RmsPropTfConfig {
            decay: config.rmsprop_decay,
            epsilon: config.rmsprop_epsilon,
        };
        let optimizer = RmsPropTf::new(rmsprop, &params);
        Ok(Self {
            config,
            task,
            device,
            params,
            network,
            optimizer,
            scratch: Scratch::default(),
        })
    }

    /// The policy's logits for a batch of observations, written to `logits`.
    ///
    /// # Shapes
    /// `obs` \[b, C, H, W\] bytes; `logits` becomes \[b, A\].
    pub fn act(&self, obs: &[u8], logits: &mut Vec<f32>) {
        let (policy, _) = tch::no_grad(|| self.network.forward(&self.obs_tensor(obs))); // [b, A]
        copy_out(&policy, logits);
    }

    /// The critic's values of a batch of observations, written to `values`.
    ///
    /// # Shapes
    /// `obs` \[b, C, H, W\] bytes; `values` becomes \[b\].
    pub fn values(&self, obs: &[u8], values: &mut Vec<f32>) {
        let (_, value) = tch::no_grad(|| self.network.forward(&self.obs_tensor(obs))); // [b]
        copy_out(&value, values);
    }

    /// One update from a full rollout, at `step` of `total_steps`.
    ///
    /// # Errors
    /// [`A2cError::Diverged`], with the weights as they were.
    ///
    /// # Panics
    /// If the rollout's observations are not of the task's shape.
    pub fn update(
        &mut self,
        rollout: &Rollout,
        step: u64,
        total_steps: u64,
    ) -> Result<UpdateStats, A2cError> {
        let start = Instant::now();
        self.compute_returns(rollout);
        let returns = Tensor::from_slice(&self.scratch.returns).to_device(self.device); // [N]
        let action = Tensor::from_slice(&rollout.action).to_device(self.device); // [N]
        let (logits, value) = self.network.forward(&self.obs_tensor(&rollout.obs)); // [N, A], [N]
        let weights = loss::Weights {
            entropy: self.config.entropy_coef,
            value: self.config.value_coef,
        };
        let loss = loss::loss(&logits, &value, &action, &returns, weights);
        let forward_time = start.elapsed();

        let start = Instant::now();
        let learning_rate =
            self.config
                .learning_rate_schedule
                .at(self.config.learning_rate, step, total_steps);
        let grads = Tensor::run_backward(&[&loss.total], &self.params.tensors(), false, false);
        let grad_norm = global_norm(&grads);
        if !grad_norm.is_finite() {
            return Err(A2cError::Diverged {
                step,
                norm: grad_norm,
            });
        }
        let scale = clip_scale(grad_norm, self.config.max_grad_norm);
        self.optimizer
            .step_scaled(&self.params, &grads, learning_rate, scale);
        let scalar = |tensor: &Tensor| tensor.double_value(&[]);
        Ok(UpdateStats {
            policy_loss: scalar(&loss.policy),
            value_loss: scalar(&loss.value),
            entropy: scalar(&loss.entropy),
            grad_norm,
            explained_variance: explained_variance(&value.detach(), &returns),
            learning_rate,
            forward_time,
            backward_time: start.elapsed(),
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

    /// Fills `scratch.returns` with the n-step returns of the rollout.
    fn compute_returns(&mut self, rollout: &Rollout) {
        let scratch = &mut self.scratch;
        scratch.ending.clear();
        scratch
            .ending
            .extend(rollout.terminated.iter().map(|&terminated| {
                if terminated {
                    Ending::Terminated
                } else {
                    Ending::None
                }
            }));
        for (idx, value) in self.final_values(rollout) {
            self.scratch.ending[idx] = Ending::Truncated { value };
        }
        let scratch = &mut self.scratch;
        let clip = self.task.clip_rewards;
        scratch.reward.clear();
        scratch
            .reward
            .extend(rollout.reward.iter().map(|&reward| learned(reward, clip)));
        scratch.returns.resize(rollout.n_transitions(), 0.0);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "returns are computed in 32-bit floats, like the network"
        )]
        let discount = self.config.discount as f32;
        n_step_returns(
            &scratch.reward,
            &scratch.ending,
            &rollout.bootstrap,
            discount,
            &mut scratch.returns,
        );
    }

    /// The values of the observations at which returns were cut off, with their entries.
    ///
    /// They are sorted first: groups of environments report in any order, and a batch's order is part of its rounding.
    fn final_values(&self, rollout: &Rollout) -> Vec<(usize, f32)> {
        if rollout.final_obs.is_empty() {
            return Vec::new();
        }
        let mut rows: Vec<&(usize, Vec<u8>)> = rollout.final_obs.iter().collect();
        rows.sort_by_key(|(idx, _)| *idx);
        let obs: Vec<u8> = rows.iter().flat_map(|(_, obs)| obs).copied().collect();
        let mut values = Vec::new();
        self.values(&obs, &mut values);
        rows.iter().map(|(idx, _)| *idx).zip(values).collect()
    }

    /// Bytes as a tensor \[b, C, H, W\] on the learner's device.
    fn obs_tensor(&self, obs: &[u8]) -> Tensor {
        let [c, h, w] = self.task.obs_shape;
        Tensor::from_slice(obs)
            .view([-1, c, h, w])
            .to_device(self.device)
    }
}

/// The reward that the learner sees.
fn learned(reward: f32, clip: bool) -> f32 {
    match (clip, reward) {
        (false, reward) => reward,
        (true, reward) if reward > 0.0 => 1.0,
        (true, reward) if reward < 0.0 => -1.0,
        (true, _) => 0.0,
    }
}

/// 1 - Var(R - V) / Var(R).
fn explained_variance(value: &Tensor, returns: &Tensor) -> f64 {
    let variance = |tensor: &Tensor| tensor.var(false).double_value(&[]);
    1.0 - variance(&(returns - value)) / variance(returns)
}

/// The elements of a float tensor, into a vector that is used again.
fn copy_out(tensor: &Tensor, target: &mut Vec<f32>) {
    let n = tensor.numel();
    target.resize(n, 0.0);
    tensor
        .to_device(Device::Cpu)
        .to_kind(Kind::Float)
        .contiguous()
        .copy_data(target, n);
}
