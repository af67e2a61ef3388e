//! What works under the agent's parameters: chooses actions, and computes the gradient of a share of the batch.
//!
//! The loss is a mean over transitions, so its gradient is a sum over shares of the batch. Each share is worked on by a
//! [`Replica`] that may live on a thread of its own, with its own environments. On a CPU this beats libtorch's own threads,
//! which split every single operation and wait for each other after it. How the batch is shared out decides the order of
//! sums, and so the rounding.

use rlrun_nn::{ActorCritic, gradients};
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
    /// \[b, n\] with the graph behind it, or observations \[b, ...\].
    rows: Tensor,
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
        let (policy, _) = tch::no_grad(|| self.network.forward(&self.obs_tensor(obs))); // [b, A]
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
        let (policy, rows) = match what {
            Keep::Pass => {
                let begun = self.network.begin(&obs); // [b, n]
                let (policy, _) = tch::no_grad(|| self.network.finish(&begun)); // [b, A]
                (policy, begun)
            }
            Keep::Observations => {
                let (policy, _) = tch::no_grad(|| self.network.forward(&obs)); // [b, A]
                (policy, obs)
            }
        };
        copy_out(&policy, logits);
        self.kept.push(Kept { at, what, rows });
    }

    /// The critic's values of a batch of observations, written to `values`.
    ///
    /// # Shapes
    /// `obs` \[b, ...\] bytes; `values` becomes \[b\].
    pub fn values(&self, obs: &[u8], values: &mut Vec<f32>) {
        let (_, value) = tch::no_grad(|| self.network.forward(&self.obs_tensor(obs))); // [b]
        copy_out(&value, values);
    }

    /// Both at once.
    ///
    /// # Shapes
    /// `obs` \[b, ...\] bytes; `logits` becomes \[b, A\], `values` \[b\].
    pub fn look(&self, obs: &[u8], logits: &mut Vec<f32>, values: &mut Vec<f32>) {
        let (policy, value) = tch::no_grad(|| self.network.forward(&self.obs_tensor(obs))); // [b, A], [b]
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
        let action = Tensor::from_slice(&rollout.action).to_device(self.device); // [m]
        let returns = Tensor::from_slice(&self.scratch.returns).to_device(self.device); // [m]
        let begun = self.begun(rollout); // [m, n]
        let (logits, value) = self.network.finish(&begun); // [m, A], [m]
        let loss = loss(&logits, &value, &action, &returns, weights);
        let grads = gradients(&loss.total, &self.params);

        let error = (&returns - value.detach()).sum(Kind::Float); // []
        // All at once: each look at a GPU waits for it.
        let terms = [&loss.policy, &loss.value, &loss.entropy, &error].map(Tensor::detach);
        let mut looked_up = Vec::new();
        copy_out(&Tensor::stack(&terms, 0), &mut looked_up);
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

    /// The part of the rollout's forward pass that acting may have kept, or that is made of what it kept.
    ///
    /// # Shapes
    /// \[m, n\]
    fn begun(&mut self, rollout: &Rollout) -> Tensor {
        let Some(what) = self.kept.first().map(|kept| kept.what) else {
            return self.network.begin(&self.obs_tensor(&rollout.obs));
        };
        // Groups of environments report in any order; rows do not.
        self.kept.sort_by_key(|kept| kept.at);
        let rows: Vec<Tensor> = self.kept.drain(..).map(|kept| kept.rows).collect();
        let rows = Tensor::cat(&rows, 0);
        let n_rows = i64::try_from(rollout.n_transitions());
        assert_eq!(n_rows, Ok(rows.size()[0]), "rows of a rollout are missing");
        match what {
            Keep::Pass => rows,
            Keep::Observations => self.network.begin(&rows),
        }
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
mod tests {
    use rlrun_nn::{CoordLayers, ObsShape, TorsoConfig, TorsoKind};

    use super::super::{A2c, Schedule};
    use super::*;

    const TASK: Task = Task {
        obs_shape: ObsShape::Frames([1, 36, 36]),
        n_actions: 3,
        clip_rewards: true,
    };

    fn agent(kind: TorsoKind, seed: u64) -> A2c {
        let config = A2cConfig {
            rollout_steps: 2,
            discount: 0.9,
            learning_rate: 1e-3,
            learning_rate_schedule: Schedule::Constant,
            entropy_coef: 0.01,
            value_coef: 0.25,
            max_grad_norm: 0.5,
            rmsprop_decay: 0.99,
            rmsprop_epsilon: 1e-5,
        };
        let torso = TorsoConfig {
            kind,
            coord_layers: CoordLayers::First,
            coord_radius: false,
        };
        A2c::new(config, &torso, TASK, Device::Cpu, seed).unwrap()
    }

    /// Two steps of environments `envs` of a batch in which no two pictures, actions or rewards follow the same pattern.
    fn rollout(envs: std::ops::Range<usize>) -> Rollout {
        let mut rollout = Rollout::new(2, envs.len(), 36 * 36);
        for t in 0..2 {
            for (b, env) in envs.clone().enumerate() {
                let entry = t * envs.len() + b;
                let pixels = rollout.obs[entry * 1296..(entry + 1) * 1296].iter_mut();
                for (place, pixel) in pixels.enumerate() {
                    *pixel = u8::try_from((place * (env + 3) + 91 * t) % 251).unwrap();
                }
                rollout.action[entry] = i64::try_from((env + t) % 3).unwrap();
                rollout.reward[entry] = if env % 2 == 0 { 10.0 } else { -1.0 };
                rollout.terminated[entry] = t == 0 && env == 1;
            }
        }
        rollout.bootstrap.fill(0.5);
        rollout
    }

    #[test]
    fn the_gradients_of_shares_add_up_to_that_of_the_batch() {
        for kind in [TorsoKind::Conv, TorsoKind::CoordConv] {
            let agent = agent(kind, 1);
            let gradient = |envs| agent.replica().gradient(&rollout(envs), 8);
            let whole = gradient(0..4);
            let sum = ShareGradient::sum(vec![gradient(0..1), gradient(1..4)]);
            for (whole, sum) in whole.grads.iter().zip(&sum.grads) {
                let scale = whole.abs().max().double_value(&[]).max(1e-6);
                let difference = (whole - sum).abs().max().double_value(&[]);
                assert!(difference < 1e-4 * scale, "{difference} of {scale}");
            }
            let difference = whole.terms.explained_variance() - sum.terms.explained_variance();
            assert!(difference.abs() < 1e-4, "{difference}");
        }
    }

    /// The gradients of `rollout` from what acting in two groups kept, the second of which reports first, twice.
    fn kept_gradients(agent: &A2c, rollout: &Rollout, what: Keep) -> [ShareGradient; 2] {
        let (mut replica, mut logits) = (agent.replica(), Vec::new());
        [(); 2].map(|()| {
            for (t, env) in [(0, 2), (0, 0), (1, 2), (1, 0)] {
                let rows = (4 * t + env) * 1296..(4 * t + env + 2) * 1296;
                replica.act_and_keep(&rollout.obs[rows], (t as u64, env), what, &mut logits);
            }
            replica.gradient(rollout, 8)
        })
    }

    #[test]
    fn what_acting_kept_gives_the_gradient_of_looking_again() {
        for kind in [TorsoKind::Conv, TorsoKind::CoordConv] {
            let agent = agent(kind, 1);
            let rollout = rollout(0..4);
            let expected = agent.replica().gradient(&rollout, 8);
            for got in kept_gradients(&agent, &rollout, Keep::Pass) {
                for (got, expected) in got.grads.iter().zip(&expected.grads) {
                    assert_eq!(got.stride(), expected.stride());
                    let scale = expected.abs().max().double_value(&[]).max(1e-6);
                    let difference = (got - expected).abs().max().double_value(&[]);
                    assert!(difference < 1e-5 * scale, "{difference} of {scale}");
                }
            }
            for got in kept_gradients(&agent, &rollout, Keep::Observations) {
                assert_eq!(got.grads, expected.grads);
            }
        }
    }

    #[test]
    #[should_panic(expected = "rows of a rollout are missing")]
    fn a_rollout_of_which_some_rows_were_kept_is_a_bug() {
        let rollout = rollout(0..4);
        let mut replica = agent(TorsoKind::Conv, 1).replica();
        replica.act_and_keep(
            &rollout.obs[..4 * 1296],
            (0, 0),
            Keep::Pass,
            &mut Vec::new(),
        );
        let _ = replica.gradient(&rollout, 8);
    }

    #[test]
    fn a_restored_agent_goes_on_as_the_one_that_was_saved() {
        let mut saved = agent(TorsoKind::CoordConv, 1);
        let update = |agent: &mut A2c| {
            let gradient = agent.replica().gradient(&rollout(0..4), 8);
            agent.apply(vec![gradient], 0, 8).unwrap();
        };
        update(&mut saved);
        let state: Vec<(String, Tensor)> = saved
            .state()
            .into_iter()
            .map(|(name, tensor)| (name, tensor.copy()))
            .collect();
        let mut restored = agent(TorsoKind::CoordConv, 2);
        restored.load_state(&state).unwrap();
        update(&mut saved);
        update(&mut restored);
        for ((name, expected), (_, got)) in saved.state().iter().zip(restored.state()) {
            assert_eq!(*expected, got, "{name}");
        }
    }

    #[test]
    fn each_truncated_return_goes_on_from_its_own_final_observation() {
        let mut replica = agent(TorsoKind::Conv, 1).replica();
        let mut batch = rollout(0..4);
        let picture = |shade: u8| vec![shade; 1296];
        // In the order in which groups may report: the later entry first.
        batch.final_obs = vec![(6, picture(200)), (3, picture(40))];
        batch.truncated[6] = true;
        batch.truncated[3] = true;
        replica.compute_returns(&batch);
        for (entry, shade) in [(6, 200), (3, 40)] {
            let mut value = Vec::new();
            replica.values(&picture(shade), &mut value);
            let reward = replica.task.learned_reward(batch.reward[entry]);
            let expected = reward + 0.9 * value[0];
            assert!((replica.scratch.returns[entry] - expected).abs() < 1e-5);
        }
    }
}
