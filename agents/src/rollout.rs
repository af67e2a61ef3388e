//! What one rollout of a batch of environments is made of.

use std::ops::Range;

/// T steps of B environments, allocated once and filled again for every update.
///
/// Rows lie step after step: entry `t * B + b` is step `t` of environment `b`.
#[derive(Debug)]
pub struct Rollout {
    n_steps: usize,
    n_envs: usize,
    obs_len: usize,
    /// \[T, B, obs\] bytes: what each action was chosen on.
    pub obs: Vec<u8>,
    /// \[T, B\]
    pub action: Vec<i64>,
    /// \[T, B\] raw rewards that followed.
    pub reward: Vec<f32>,
    /// \[T, B\] whether the return ended.
    pub terminated: Vec<bool>,
    /// \[T, B\] whether the return was cut off.
    pub truncated: Vec<bool>,
    /// \[T, B\] whether a full game ended.
    pub game_over: Vec<bool>,
    /// \[B, obs\] bytes: the observations after the last step: the first ones of the next rollout.
    pub last_obs: Vec<u8>,
    /// \[B\] the values of `last_obs`, under the parameters that the rollout's actions were chosen with.
    pub bootstrap: Vec<f32>,
    /// The observations at which returns were cut off, with their entry `t * B + b`.
    pub final_obs: Vec<(usize, Vec<u8>)>,
}

/// What followed one step of some neighbouring environments.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// \[b\] raw rewards.
    pub reward: &'a [f32],
    /// \[b\]
    pub terminated: &'a [bool],
    /// \[b\]
    pub truncated: &'a [bool],
    /// \[b\]
    pub game_over: &'a [bool],
    /// \[b, obs\] bytes: rows valid where truncated.
    pub final_obs: &'a [u8],
}

impl Rollout {
    /// An empty rollout for observations of `obs_len` bytes.
    pub fn new(n_steps: usize, n_envs: usize, obs_len: usize) -> Self {
        let n = n_steps * n_envs;
        Self {
            n_steps,
            n_envs,
            obs_len,
            obs: vec![0; n * obs_len],
            action: vec![0; n],
            reward: vec![0.0; n],
            terminated: vec![false; n],
            truncated: vec![false; n],
            game_over: vec![false; n],
            last_obs: vec![0; n_envs * obs_len],
            bootstrap: vec![0.0; n_envs],
            final_obs: Vec::new(),
        }
    }

    /// T, the steps of each environment.
    pub fn n_steps(&self) -> usize {
        self.n_steps
    }

    /// B, the environments.
    pub fn n_envs(&self) -> usize {
        self.n_envs
    }

    /// T x B, the steps in all.
    pub fn n_transitions(&self) -> usize {
        self.n_steps * self.n_envs
    }

    /// Starts the next rollout where this one ended.
    pub fn restart(&mut self) {
        self.final_obs.clear();
        let first = self.last_obs.len();
        self.obs[..first].copy_from_slice(&self.last_obs);
    }

    /// The observations of `envs` at step `t`; step T means the ones after the last step.
    pub fn obs_at(&self, t: usize, envs: &Range<usize>) -> &[u8] {
        if t == self.n_steps {
            &self.last_obs[self.obs_len * envs.start..self.obs_len * envs.end]
        } else {
            let rows = self.rows(t, envs);
            &self.obs[self.obs_len * rows.start..self.obs_len * rows.end]
        }
    }

    /// The observations of `envs` after the last step, and where their values go.
    pub fn last_obs_and_bootstrap(&mut self, envs: &Range<usize>) -> (&[u8], &mut [f32]) {
        let obs = &self.last_obs[self.obs_len * envs.start..self.obs_len * envs.end];
        (obs, &mut self.bootstrap[envs.clone()])
    }

    /// Stores the observations of `envs` at step `t`; step T means the ones after the last step.
    pub fn record_obs(&mut self, t: usize, envs: &Range<usize>, obs: &[u8]) {
        let target = if t == self.n_steps {
            &mut self.last_obs[self.obs_len * envs.start..self.obs_len * envs.end]
        } else {
            let rows = self.rows(t, envs);
            &mut self.obs[self.obs_len * rows.start..self.obs_len * rows.end]
        };
        target.copy_from_slice(obs);
    }

    /// Stores the actions that `envs` took at step `t`.
    pub fn record_actions(&mut self, t: usize, envs: &Range<usize>, actions: &[u8]) {
        let rows = self.rows(t, envs);
        for (target, &action) in self.action[rows].iter_mut().zip(actions) {
            *target = i64::from(action);
        }
    }

    /// Stores what followed step `t` of `envs`.
    pub fn record_outcome(&mut self, t: usize, envs: &Range<usize>, outcome: &Outcome<'_>) {
        let rows = self.rows(t, envs);
        self.reward[rows.clone()].copy_from_slice(outcome.reward);
        self.terminated[rows.clone()].copy_from_slice(outcome.terminated);
        self.truncated[rows.clone()].copy_from_slice(outcome.truncated);
        self.game_over[rows.clone()].copy_from_slice(outcome.game_over);
        for (b, _) in outcome
            .truncated
            .iter()
            .enumerate()
            .filter(|(_, cut)| **cut)
        {
            let row = &outcome.final_obs[b * self.obs_len..(b + 1) * self.obs_len];
            self.final_obs.push((rows.start + b, row.to_vec()));
        }
    }

    fn rows(&self, t: usize, envs: &Range<usize>) -> Range<usize> {
        let first = t * self.n_envs;
        first + envs.start..first + envs.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_writes_its_own_rows() {
        let mut rollout = Rollout::new(2, 3, 2);
        rollout.record_obs(1, &(1..3), &[1, 2, 3, 4]);
        rollout.record_obs(2, &(0..1), &[8, 9]);
        rollout.record_actions(1, &(1..3), &[5, 6]);
        rollout.record_outcome(
            1,
            &(1..3),
            &Outcome {
                reward: &[0.5, -2.0],
                terminated: &[true, false],
                truncated: &[false, true],
                game_over: &[false, true],
                final_obs: &[0, 0, 7, 7],
            },
        );
        assert_eq!(rollout.obs, [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]);
        assert_eq!(rollout.last_obs, [8, 9, 0, 0, 0, 0]);
        assert_eq!(rollout.action, [0, 0, 0, 0, 5, 6]);
        assert_eq!(rollout.reward, [0.0, 0.0, 0.0, 0.0, 0.5, -2.0]);
        assert_eq!(
            rollout.terminated,
            [false, false, false, false, true, false]
        );
        assert_eq!(rollout.final_obs, [(5, vec![7, 7])]);
        assert_eq!(rollout.obs_at(1, &(2..3)), [3, 4]);
        assert_eq!(rollout.obs_at(2, &(0..1)), [8, 9]);

        rollout.restart();
        assert_eq!(rollout.obs[..6], [8, 9, 0, 0, 0, 0]);
        assert!(rollout.final_obs.is_empty());
    }
}
