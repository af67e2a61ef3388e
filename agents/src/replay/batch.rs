//! What an update learns from.

use rlrun_nn::SendBuffer;
use tch::Device;

/// B transitions of n steps each, gathered into buffers that are allocated once and filled again.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayBatch {
    /// \[B, obs\] bytes of the observations that the actions were chosen on.
    pub obs_tm1: SendBuffer,
    /// \[B\]
    pub action_tm1: Vec<i64>,
    /// \[B\] discounted sum of the next n rewards as the learner sees them, or of those until the return ended.
    pub reward_t: Vec<f32>,
    /// \[B\] what the value of `obs_t` counts: the discount to the power of the steps in between; 0 where the return ended.
    pub discount_t: Vec<f32>,
    /// \[B, obs\] bytes of the observations n steps later, or of the one at which a time limit cut the game off.
    pub obs_t: SendBuffer,
    /// \[B\] weight of each transition in the loss; 1 under uniform sampling.
    pub weight: Vec<f32>,
    /// \[B\] where each transition lies in the memory, to give it a new priority.
    pub slot: Vec<i64>,
}

impl ReplayBatch {
    /// A batch of `n` transitions whose observations have `obs_len` bytes.
    pub fn new(n: usize, obs_len: usize) -> Self {
        Self::for_device(n, obs_len, Device::Cpu)
    }

    /// The same for a network on `device`: for a GPU the observations lie in page-locked memory.
    pub fn for_device(n: usize, obs_len: usize, device: Device) -> Self {
        Self {
            obs_tm1: SendBuffer::new(n * obs_len, device),
            action_tm1: vec![0; n],
            reward_t: vec![0.0; n],
            discount_t: vec![0.0; n],
            obs_t: SendBuffer::new(n * obs_len, device),
            weight: vec![1.0; n],
            slot: vec![0; n],
        }
    }

    /// B, the transitions.
    pub fn len(&self) -> usize {
        self.slot.len()
    }

    /// Whether there is no transition.
    pub fn is_empty(&self) -> bool {
        self.slot.is_empty()
    }
}
