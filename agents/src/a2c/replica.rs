//! What works under the agent's parameters: chooses actions, and computes the gradient of a share of the batch.
//!
//! The loss is a mean over transitions, so its gradient is a sum over shares of the batch. Each share is worked on by a
//! [`Replica`] that may live on a thread of its own, with its own environments. On a CPU this beats libtorch's own threads,
//! which split every single operation and wait for each other after it. How the batch is shared out decides the order of
//! sums, and so the rounding.

use rlrun_nn::{ActorCritic, Captured, Gradient, Tape, to_device, unmultiplied_gradients};
use tch::{Device, Kind, Tensor};

use super::A2cConfig;
use super::loss::{Weights, loss};
use super::share::{ShareGradient, Terms};
use crate::returns::{Ending, n_step_returns};
use crate::rollout::Rollout;
use crate::task::Task;

/// A second handle of the agent's network. It sees every change of the parameters.
#[derive(Debug)]
pub struct Replica {
    pub(super) config: A2cConfig,
    pub(super) task: Task,
    pub(super) device: Device,
    pub(super) network: ActorCritic,
    /// What the network computes with, in order.
    pub(super) params: Vec<Tensor>,
    pub(super) kept: Vec<Kept>,
    pub(super) scratch: Scratch,
    /// Forward passes without a gradient.
    pub(super) passes: Captured,
    /// What an update computes from observations.
    pub(super) learning: Captured,
}

/// What an update keeps of the choice of a step's actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// The forward pass: the parameters stand still for a rollout, so the update needs this very pass.
    Pass,
    /// The observations, on the learner's device: the pass is made again, for all rows at once.
    Observations,
}

/// What was kept.
#[derive(Debug)]
pub(super) struct Kept {
    /// The step and the first of the environments: they order the rows.
    at: (u64, usize),
    what: Keep,
    /// \[b, n\] of a pass, or observations \[b, ...\].
    rows: Tensor,
    /// What the gradient of a pass needs besides libtorch's graph.
    tape: Tape,
}

/// Buffers of an update, kept from one to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    reward: Vec<f32>,
    ending: Vec<Ending>,
    returns: Vec<f32>,
}

impl Replica {
    /// The device that its network lives on.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The policy's logits for a batch of observations, written to `logits`.
    ///
    /// # Shapes
    /// `obs` \[b, ...\] bytes; `logits` becomes \[b, A\].
    pub fn act(&self, obs: &[u8], logits: &mut Vec<f32>) {
        let [policy, _] = self.pass(self.obs_tensor(obs)); // [b, A]
        copy_out(&policy, logits);
    }

    /// The same for `at`, a step and the first of its environments, of the rollout whose gradient is asked for next. The
    /// gradient then goes on from what is kept: the same for every step of the rollout.
    ///
    /// # Shapes
    /// As [`Self::act`].
    pub fn act_and_keep(
        &mut self,
        obs: &[u8],
        at: (u64, usize),
        what: Keep,
        logits: &mut Vec<f32>,
    ) {
        let obs = self.obs_tensor(obs);
        let mut tape = Tape::default();
        let (policy, rows) = match what {
            Keep::Pass => {
                let begun = self.network.begin(&obs, &mut tape); // [b, n]
                let (policy, _) = tch::no_grad(|| self.network.finish(&begun, None)); // [b, A]
                (policy, begun)
            }
            Keep::Observations => {
                let [policy, _] = self.pass(obs.shallow_clone()); // [b, A]
                (policy, obs)
            }
        };
        copy_out(&policy, logits);
        self.kept.push(Kept {
            at,
            what,
            rows,
            tape,
        });
    }

    /// The critic's values of a batch of observations, written to `values`.
    ///
    /// # Shapes
    /// `obs` \[b, ...\] bytes; `values` becomes \[b\].
    pub fn values(&self, obs: &[u8], values: &mut Vec<f32>) {
        let [_, value] = self.pass(self.obs_tensor(obs)); // [b]
        copy_out(&value, values);
    }

    /// Both at once.
    ///
    /// # Shapes
    /// `obs` \[b, ...\] bytes; `logits` becomes \[b, A\], `values` \[b\].
    pub fn look(&self, obs: &[u8], logits: &mut Vec<f32>, values: &mut Vec<f32>) {
        let [policy, value] = self.pass(self.obs_tensor(obs)); // [b, A], [b]
        copy_out(&policy, logits);
        copy_out(&value, values);
    }

    /// What a full rollout adds to the gradient of a batch of `n_total` transitions.
    ///
    /// # Panics
    /// If the rollout's observations are not of the task's shape, or what was kept is of some of its rows only.
    pub fn gradient(&mut self, rollout: &Rollout, n_total: usize) -> ShareGradient {
        self.compute_returns(rollout);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a batch has far fewer than 2^52 transitions"
        )]
        let weights = Weights {
            entropy: self.config.entropy_coef,
            value: self.config.value_coef,
            n_total: n_total as f64,
        };
        let action = to_device(&rollout.action, self.device); // [m]
        let returns = to_device(&self.scratch.returns, self.device); // [m]
        let (what, rows, tape) = self.take_kept(rollout);
        let inputs = [rows, action, returns];
        let (grads, terms) = match what {
            Keep::Pass => self.learn(&inputs, tape, weights),
            // Captured for one size of the whole batch: it never changes.
            Keep::Observations => self.learning.call_for_gradients(&inputs, |inputs| {
                let [obs, action, returns] = [0, 1, 2].map(|idx| inputs[idx].shallow_clone());
                let mut tape = Tape::default();
                let begun = self.network.begin(&obs, &mut tape); // [m, n]
                self.learn(&[begun, action, returns], tape, weights)
            }),
        };
        // All at once: each look at a GPU waits for it.
        let mut looked_up = Vec::new();
        copy_out(&terms, &mut looked_up);
        let [policy_loss, value_loss, entropy, error] = looked_up
            .try_into()
            .map(|terms: [f32; 4]| terms.map(f64::from))
            .expect("as many as were stacked");
        let sum = |term: fn(f64) -> f64| -> f64 {
            let returns = self.scratch.returns.iter().copied().map(f64::from);
            returns.map(term).sum::<f64>() / weights.n_total
        };
        ShareGradient {
            grads,
            terms: Terms {
                policy_loss,
                value_loss,
                entropy,
                error: error / weights.n_total,
                returns: sum(|r| r),
                square_returns: sum(|r| r * r),
            },
        }
    }

    /// The policy's logits and the values of observations, without a gradient.
    ///
    /// # Shapes
    /// \[b, ...\]; gives \[b, A\] and \[b\].
    fn pass(&self, obs: Tensor) -> [Tensor; 2] {
        let forward = |inputs: &[Tensor]| {
            let (policy, value) = tch::no_grad(|| self.network.forward(&inputs[0]));
            vec![policy, value]
        };
        let outputs = self.passes.call(&[obs], forward);
        outputs.try_into().expect("two, as above")
    }

    /// From the convolutions on: the gradients of the parameters, and the loss's terms and the sum of returns - values.
    ///
    /// # Shapes
    /// `begun` \[m, n\], `action` (i64) and `returns` \[m\]; the last one is \[4\].
    fn learn(
        &self,
        [begun, action, returns]: &[Tensor; 3],
        mut tape: Tape,
        weights: Weights,
    ) -> (Vec<Gradient>, Tensor) {
        let (logits, value) = self.network.finish(begun, Some(&mut tape)); // [m, A], [m]
        let loss = loss(&logits, &value, action, returns, weights);
        let error = (returns - value.detach()).sum(Kind::Float); // []
        let grads = unmultiplied_gradients(&loss.total, &self.params, tape);
        let terms = [&loss.policy, &loss.value, &loss.entropy, &error].map(Tensor::detach);
        (grads, Tensor::stack(&terms, 0))
    }

    /// What acting has kept of the rollout, in the order of its rows; its observations if nothing.
    ///
    /// # Shapes
    /// \[m, n\], or observations \[m, ...\].
    fn take_kept(&mut self, rollout: &Rollout) -> (Keep, Tensor, Tape) {
        let mut tape = Tape::default();
        let Some(what) = self.kept.first().map(|kept| kept.what) else {
            return (Keep::Observations, self.obs_tensor(&rollout.obs), tape);
        };
        // Groups of environments report in any order; rows do not.
        self.kept.sort_by_key(|kept| kept.at);
        let mut rows = Vec::new();
        for kept in self.kept.drain(..) {
            rows.push(kept.rows);
            tape.append(kept.tape);
        }
        let rows = Tensor::cat(&rows, 0);
        let n_rows = i64::try_from(rollout.n_transitions());
        assert_eq!(n_rows, Ok(rows.size()[0]), "rows of a rollout are missing");
        (what, rows, tape)
    }

    /// Fills `scratch.returns` with the n-step returns of the rollout.
    fn compute_returns(&mut self, rollout: &Rollout) {
        let final_values = self.final_values(rollout);
        let task = self.task;
        let Scratch {
            reward,
            ending,
            returns,
        } = &mut self.scratch;
        reward.clear();
        reward.extend(
            rollout
                .reward
                .iter()
                .map(|&reward| task.learned_reward(reward)),
        );
        ending.clear();
        let how = |&over: &bool| {
            if over {
                Ending::Terminated
            } else {
                Ending::None
            }
        };
        ending.extend(rollout.terminated.iter().map(how));
        for (idx, value) in final_values {
            ending[idx] = Ending::Truncated { value };
        }
        returns.resize(rollout.n_transitions(), 0.0);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "returns are computed in 32-bit floats, like the network"
        )]
        let discount = self.config.discount as f32;
        n_step_returns(reward, ending, &rollout.bootstrap, discount, returns);
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

    /// Bytes as a tensor \[b, ...\] on the learner's device.
    fn obs_tensor(&self, obs: &[u8]) -> Tensor {
        self.task.obs_shape.tensor(obs, self.device)
    }
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

#[cfg(test)]
mod tests;
