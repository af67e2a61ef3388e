//! What the tests of DQN share: a configuration, a task, and batches in which no two pictures follow the same pattern.

use rlrun_nn::init::Init;
use rlrun_nn::{CoordLayers, ObsShape, TorsoConfig, TorsoKind};
use tch::{Device, Tensor};

use super::{Dqn, DqnConfig, LossKind, OptimizerKind};
use crate::replay::ReplayBatch;
use crate::task::Task;

pub(super) const TASK: Task = Task {
    obs_shape: ObsShape::Frames([4, 36, 36]),
    n_actions: 3,
    clip_rewards: true,
};

pub(super) const OBS_LEN: usize = 4 * 36 * 36;

pub(super) fn config() -> DqnConfig {
    DqnConfig {
        replay_capacity: 100,
        learning_starts_steps: 10,
        steps_per_update: 4,
        batch_size: 4,
        discount: 0.9,
        n_step: 1,
        target_period_steps: 100,
        epsilon_start: 1.0,
        epsilon_end: 0.01,
        epsilon_start_step: 0,
        epsilon_decay_steps: 100,
        eval_epsilon: 0.001,
        learning_rate: 1e-3,
        optimizer: OptimizerKind::Adam,
        adam_beta1: 0.9,
        adam_beta2: 0.999,
        adam_epsilon: 1e-8,
        rmsprop_decay: 0.95,
        rmsprop_epsilon: 1e-5,
        loss: LossKind::Huber,
        max_grad_norm: 10.0,
        init: Init::Torch,
        double: false,
        dueling: false,
        prioritized: false,
        priority_alpha: 0.5,
        priority_beta_start: 0.4,
        priority_beta_end: 1.0,
        priority_beta_steps: 100,
        priority_epsilon: 1e-6,
    }
}

pub(super) fn agent(config: DqnConfig, kind: TorsoKind, seed: u64) -> Dqn {
    let torso = TorsoConfig {
        kind,
        coord_layers: CoordLayers::First,
        coord_radius: false,
    };
    Dqn::new(config, &torso, TASK, Device::Cpu, seed).unwrap()
}

/// Bright and dark patches, as `tests/golden/make_golden.py` paints them: `n` observations \[4, 36, 36\].
pub(super) fn frames(n: usize, offset: usize) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(n * OBS_LEN);
    for b in 0..n {
        for c in 0..4 {
            for y in 0..36 {
                for x in 0..36 {
                    let bright = ((b + 2) * (y / 6) + x / 9 + c + offset).is_multiple_of(3);
                    let shade = if bright { 250 - 40 * (b % 6) } else { 3 * x };
                    pixels.push(u8::try_from(shade).unwrap());
                }
            }
        }
    }
    pixels
}

/// The batch of `tests/golden/make_golden.py`: four transitions, the first of which ended its return.
pub(super) fn batch() -> ReplayBatch {
    ReplayBatch {
        obs_tm1: frames(4, 0).into(),
        action_tm1: vec![0, 2, 1, 1],
        reward_t: vec![1.0, -1.0, 0.0, 2.5],
        discount_t: vec![0.0, 0.99, 0.970_299, 0.99],
        obs_t: frames(4, 1).into(),
        weight: vec![1.0, 0.25, 0.5, 0.75],
        slot: vec![0, 1, 2, 3],
    }
}

/// One update from the whole of `batch`.
pub(super) fn update(agent: &mut Dqn, batch: &ReplayBatch) -> (super::UpdateStats, Vec<f32>) {
    let gradient = agent.replica().gradient(batch, 0..batch.len());
    agent.apply(vec![gradient], 0).unwrap()
}

/// Copies of named tensors, which later updates leave alone.
pub(super) fn copies(tensors: Vec<(String, Tensor)>) -> Vec<(String, Tensor)> {
    let tensors = tensors.into_iter();
    tensors
        .map(|(name, tensor)| (name, tensor.copy()))
        .collect()
}
