//! What an agent learns in.

/// The sizes of observations and actions, and what rewards the learner sees.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// C, H, W of an observation.
    pub obs_shape: [i64; 3],
    /// Number of actions.
    pub n_actions: i64,
    /// Whether the learner sees the sign of the reward instead of the reward.
    pub clip_rewards: bool,
}
