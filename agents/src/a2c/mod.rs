//! Synchronous advantage actor-critic (A2C).
//!
//! Source: Mnih et al. 2016 (arXiv 1602.01783), made synchronous by Baselines (Wu et al. 2017, arXiv 1708.05144): all
//! environments take n steps under the same parameters, then one update follows. The hyper-parameters and where
//! each comes from stand in `configs/a2c.toml`.
//!
//! Deviations from Baselines: a return that a time limit cuts off bootstraps ([`crate::returns`]); actions are sampled
//! under keyed streams ([`crate::policy`]).

mod config;
mod gradient;
mod loss;

pub use config::{A2cConfig, Schedule};
pub use gradient::{Differentiator, Share, ShareGradient};
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

    /// Something that computes gradients under this agent's parameters, for batches of `n_total` transitions.
    ///
    /// It may be sent to another thread. It must not be used while [`Self::apply`] changes the parameters.
    pub fn differentiator(&self, n_total: usize) -> Differentiator {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a batch has far fewer than 2^52 transitions"
        )]
        let n_total = n_total as f64;
        Differentiator {
            network: self.network.share(),
            params: self.params.tensors(),
            weights: loss::Weights {
                entropy: self.config.entropy_coef,
                value: self.config.value_coef,
                n_total,
            },
        }
    }

    /// Computes the returns of a full rollout and shares it out into `n_shares` parts of neighbouring transitions.
    ///
    /// # Panics
    /// If the rollout's observations are not of the task's shape.
    pub fn share_out(&mut self, rollout: &Rollout, n_shares: usize) -> Vec<Share> {
        self.compute_returns(rollout);
        let n = rollout.n_transitions();
        let obs_len = rollout.obs.len() / n;
        let returns = &self.scratch.returns;
        let share = |idx: usize| {
            let rows = idx * n / n_shares..(idx + 1) * n / n_shares;
            let obs = &rollout.obs[rows.start * obs_len..rows.end * obs_len];
            Share {
                obs: self.obs_tensor(obs),
                action: Tensor::from_slice(&rollout.action[rows.clone()]).to_device(self.device),
                returns: Tensor::from_slice(&returns[rows]).to_device(self.device),
            }
        };
        (0..n_shares).map(share).collect()
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
        let learning_rate =
            self.config
                .learning_rate_schedule
                .at(self.config.learning_rate, step, total_steps);
        let gradient = gradient::sum(gradients);
        let grad_norm = global_norm(&gradient.grads);
        if !grad_norm.is_finite() {
            return Err(A2cError::Diverged {
                step,
                norm: grad_norm,
            });
        }
        let scale = clip_scale(grad_norm, self.config.max_grad_norm);
        self.optimizer
            .step_scaled(&self.params, &gradient.grads, learning_rate, scale);
        let [policy_loss, value_loss, entropy, mean_error] = gradient.terms;
        // The value loss is the mean of (R - V)^2.
        let unexplained = value_loss - mean_error * mean_error;
        Ok(UpdateStats {
            policy_loss,
            value_loss,
            entropy,
            grad_norm,
            explained_variance: 1.0 - unexplained / variance(&self.scratch.returns),
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

/// Mean square distance from the mean.
fn variance(values: &[f32]) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a batch has far fewer than 2^52 transitions"
    )]
    let n = values.len() as f64;
    let mean = values.iter().copied().map(f64::from).sum::<f64>() / n;
    let squares = values.iter().map(|&value| (f64::from(value) - mean).powi(2));
    squares.sum::<f64>() / n
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
