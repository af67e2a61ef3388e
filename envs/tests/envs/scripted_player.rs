//! A player whose actions are a fixed function of seed and step, so that the same game can be played again.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rlrun_envs::{BatchEnv, StepBatch};

use crate::setup::step;

/// The action of the environment with this seed at this step: what the other environments do is of no matter.
pub(crate) fn action(seed: u32, step_idx: u64, n_actions: usize) -> u8 {
    let mut rng = ChaCha8Rng::seed_from_u64((u64::from(seed) << 32) | step_idx);
    u8::try_from(rng.random_range(0..n_actions)).unwrap()
}

/// Plays `n_steps` from `first_step_idx` on and returns what every step gave.
pub(crate) fn play(env: &mut dyn BatchEnv, seeds: &[u32], n_steps: u64) -> Vec<StepBatch> {
    let n_actions = env.spec().n_actions;
    let mut batch = StepBatch::new(env.spec());
    (0..n_steps)
        .map(|step_idx| {
            let actions: Vec<u8> = seeds
                .iter()
                .map(|&seed| action(seed, step_idx, n_actions))
                .collect();
            step(env, &actions, &mut batch);
            batch.clone()
        })
        .collect()
}

/// The rows of one environment: what it saw and got, as a batch of one. Rows of `final_obs` that are not valid are
/// blanked.
pub(crate) fn row(batch: &StepBatch, env_idx: usize) -> StepBatch {
    let n_envs = batch.reward.len();
    let obs_len = batch.obs.len() / n_envs;
    let bytes = env_idx * obs_len..(env_idx + 1) * obs_len;
    let final_obs = if batch.truncated[env_idx] {
        batch.final_obs[bytes.clone()].to_vec()
    } else {
        vec![0; obs_len]
    };
    StepBatch {
        obs: batch.obs[bytes].to_vec(),
        reward: vec![batch.reward[env_idx]],
        terminated: vec![batch.terminated[env_idx]],
        truncated: vec![batch.truncated[env_idx]],
        game_over: vec![batch.game_over[env_idx]],
        lives: vec![batch.lives[env_idx]],
        final_obs,
    }
}
