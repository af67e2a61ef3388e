//! What an agent learns in.

use rlrun_nn::ObsShape;

/// The sizes of observations and actions, and what rewards the learner sees.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// What an observation is.
    pub obs_shape: ObsShape,
    /// Number of actions.
    pub n_actions: i64,
    /// Whether the learner sees the sign of the reward instead of the reward.
    pub clip_rewards: bool,
}
