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

impl Task {
    /// The reward that the learner sees, of one that an environment gave.
    pub fn learned_reward(&self, reward: f32) -> f32 {
        match (self.clip_rewards, reward) {
            (false, reward) => reward,
            (true, reward) if reward > 0.0 => 1.0,
            (true, reward) if reward < 0.0 => -1.0,
            (true, _) => 0.0,
        }
    }
}
