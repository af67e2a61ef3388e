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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewards_are_clipped_to_their_sign_if_at_all() {
        let task = |clip_rewards| Task {
            obs_shape: ObsShape::Features(1),
            n_actions: 1,
            clip_rewards,
        };
        for (raw, clipped) in [(-200.0, -1.0), (0.0, 0.0), (10.0, 1.0)] {
            assert!((task(true).learned_reward(raw) - clipped).abs() < 1e-6);
            assert!((task(false).learned_reward(raw) - raw).abs() < 1e-6);
        }
    }
}
