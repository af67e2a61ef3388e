//! The one trait of this crate: environments that are stepped together, in two halves (`send`, `recv`).
//!
//! ```text
//! reset(seeds) -> o_0        obs = o_t        what the next action is chosen on
//! send(a_0)                  reward = r_t+1   raw, of the step that led to obs
//! recv() -> r_1, o_1         game over: obs already shows the next game ("same step" autoreset)
//! ```
//!
//! Between `send` and `recv` the caller is free: another group's policy runs while this one's emulators do.

use crate::EnvError;

/// What all environments of a batch have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvSpec {
    /// B: environments in the batch.
    pub n_envs: usize,
    /// What one observation is.
    pub obs_shape: ObsShape,
    /// Actions `0..n_actions` exist.
    pub n_actions: usize,
    /// Emulator frames per step.
    pub frame_skip: u32,
}

/// What one observation is. Its bytes travel either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObsShape {
    /// Channels (stacked frames), height, width; a byte each.
    Frames([usize; 3]),
    /// So many numbers; an f32 in little-endian each.
    Features(usize),
}

impl EnvSpec {
    /// Bytes of one observation.
    pub fn obs_len(&self) -> usize {
        match self.obs_shape {
            ObsShape::Frames(sizes) => sizes.iter().product(),
            ObsShape::Features(n) => n * size_of::<f32>(),
        }
    }
}

/// One step of a batch. Allocated once, travels back and forth between threads.
#[derive(Clone, Debug, PartialEq)]
pub struct StepBatch {
    /// `[B, obs]`: what the next action is chosen on; the first observation of the next game after a game over.
    pub obs: Vec<u8>,
    /// `[B]`: raw score of this step, never clipped.
    pub reward: Vec<f32>,
    /// `[B]`: the return ends here (game over, or a lost life under `life_loss_ends_return`): no bootstrap.
    pub terminated: Vec<bool>,
    /// `[B]`: cut off by a time limit: bootstrap from `final_obs`. Never together with `terminated`.
    pub truncated: Vec<bool>,
    /// `[B]`: a full game ended at this step, and `obs` already is of the next one.
    pub game_over: Vec<bool>,
    /// `[B]`: lives left in the game that `obs` shows; 0 in games that do not count lives.
    pub lives: Vec<u32>,
    /// `[B, obs]`: the last observation of a truncated game; a row is valid only where `truncated`.
    pub final_obs: Vec<u8>,
}

impl StepBatch {
    /// A batch of zeros with the sizes of `spec`.
    pub fn new(spec: &EnvSpec) -> Self {
        let (n, n_bytes) = (spec.n_envs, spec.n_envs * spec.obs_len());
        Self {
            obs: vec![0; n_bytes],
            reward: vec![0.0; n],
            terminated: vec![false; n],
            truncated: vec![false; n],
            game_over: vec![false; n],
            lives: vec![0; n],
            final_obs: vec![0; n_bytes],
        }
    }

    /// Sets rewards to zero and all flags to false, as after a reset.
    pub(crate) fn clear_outcome(&mut self) {
        self.reward.fill(0.0);
        self.terminated.fill(false);
        self.truncated.fill(false);
        self.game_over.fill(false);
    }

    /// Refuses a batch that was made for another spec.
    pub(crate) fn check(&self, spec: &EnvSpec) -> Result<(), EnvError> {
        let check = |what, expected, got| {
            if expected == got {
                Ok(())
            } else {
                Err(EnvError::WrongLength {
                    what,
                    expected,
                    got,
                })
            }
        };
        let n_bytes = spec.n_envs * spec.obs_len();
        check("obs of the step batch", n_bytes, self.obs.len())?;
        check("final_obs of the step batch", n_bytes, self.final_obs.len())?;
        check("reward of the step batch", spec.n_envs, self.reward.len())?;
        check(
            "terminated of the step batch",
            spec.n_envs,
            self.terminated.len(),
        )?;
        check(
            "truncated of the step batch",
            spec.n_envs,
            self.truncated.len(),
        )?;
        check(
            "game_over of the step batch",
            spec.n_envs,
            self.game_over.len(),
        )?;
        check("lives of the step batch", spec.n_envs, self.lives.len())
    }
}

/// Environments that are stepped together. The order of calls is `reset (send recv | reset_some)*`; it is checked.
pub trait BatchEnv: Send {
    /// Sizes of the batch.
    fn spec(&self) -> &EnvSpec;

    /// Starts a new game in every environment, with one seed each, and writes the first observations; rewards are 0 and
    /// flags false. A step that was sent and not received is dropped.
    ///
    /// # Errors
    /// The number of seeds or the sizes of `out` do not fit, a seed is above `i32::MAX`, or the emulator failed.
    fn reset(&mut self, seeds: &[u32], out: &mut StepBatch) -> Result<(), EnvError>;

    /// Starts a new game in some environments between two steps, in `env_idxs[k]` with `seeds[k]`, and writes their rows of
    /// `obs` and `lives`. Nothing else changes, neither in `out` nor in the other environments.
    ///
    /// # Errors
    /// As [`Self::reset`], and the call is out of turn or there is no such environment; if the emulator failed, reset.
    fn reset_some(
        &mut self,
        env_idxs: &[usize],
        seeds: &[u32],
        out: &mut StepBatch,
    ) -> Result<(), EnvError>;

    /// Starts a step and returns at once. Every action is checked before anything is sent.
    ///
    /// # Errors
    /// An action does not exist, their number is not B, or the call is out of turn; the batch stays usable.
    fn send(&mut self, actions: &[u8]) -> Result<(), EnvError>;

    /// Waits for the step that was sent. Python's lock is released while waiting.
    ///
    /// # Errors
    /// The call is out of turn, the sizes of `out` do not fit, or the emulator failed; after the last, reset.
    fn recv(&mut self, out: &mut StepBatch) -> Result<(), EnvError>;
}
