//! A batch of games of gym-rs, with the same rules of autoreset as Atari, and the time limit that gym-rs leaves out.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::physics::{Moved, Physics};
use crate::turn::{Turn, check_seeds};
use crate::{BatchEnv, EnvConfig, EnvError, EnvSpec, StepBatch};

/// Bytes of a feature: an f32.
const FEATURE_BYTES: usize = size_of::<f32>();

/// Environments that play one game of gym-rs.
#[derive(Debug)]
pub(super) struct ClassicBatch<P: Physics> {
    spec: EnvSpec,
    turn: Turn,
    /// `[B]`, empty before the first reset.
    games: Vec<Game<P>>,
    /// `[B]`, of the step that was sent.
    actions: Vec<u8>,
}

/// One environment: the game in it, and where the next one starts.
#[derive(Debug)]
struct Game<P: Physics> {
    seed: u32,
    /// Games since reset, before this one.
    number: u64,
    /// Steps of this game.
    n_steps: u32,
    state: P::State,
}

impl<P: Physics> ClassicBatch<P> {
    pub(super) fn new(config: &EnvConfig) -> Self {
        Self {
            spec: config.spec(),
            turn: Turn::NeedsReset,
            games: Vec::new(),
            actions: vec![0; config.n_envs],
        }
    }
}

impl<P: Physics> BatchEnv for ClassicBatch<P> {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seeds: &[u32], out: &mut StepBatch) -> Result<(), EnvError> {
        out.check(&self.spec)?;
        check_seeds(seeds, &self.spec)?;
        let mut physics = P::new();
        let games = seeds.iter().map(|&seed| Game::new(seed, 0, &mut physics));
        self.games = games.collect();
        out.clear_outcome();
        out.lives.fill(0);
        let rows = out.obs.chunks_exact_mut(self.spec.obs_len());
        for (game, row) in self.games.iter().zip(rows) {
            game.observe(row);
        }
        self.turn = Turn::Ready;
        Ok(())
    }

    fn reset_some(
        &mut self,
        env_idxs: &[usize],
        seeds: &[u32],
        out: &mut StepBatch,
    ) -> Result<(), EnvError> {
        out.check(&self.spec)?;
        self.turn.check_reset_some(env_idxs, seeds, &self.spec)?;
        let (mut physics, obs_len) = (P::new(), self.spec.obs_len());
        for (&env_idx, &seed) in env_idxs.iter().zip(seeds) {
            self.games[env_idx] = Game::new(seed, 0, &mut physics);
            let row = env_idx * obs_len..(env_idx + 1) * obs_len;
            self.games[env_idx].observe(&mut out.obs[row]);
        }
        Ok(())
    }

    fn send(&mut self, actions: &[u8]) -> Result<(), EnvError> {
        self.turn.check_send(actions, &self.spec)?;
        self.actions.copy_from_slice(actions);
        self.turn = Turn::Stepping;
        Ok(())
    }

    fn recv(&mut self, out: &mut StepBatch) -> Result<(), EnvError> {
        self.turn.check_recv()?;
        out.check(&self.spec)?;
        let mut physics = P::new();
        let obs_len = self.spec.obs_len();
        for (env_idx, game) in self.games.iter_mut().enumerate() {
            let row = env_idx * obs_len..(env_idx + 1) * obs_len;
            let Moved {
                state,
                reward,
                terminated,
            } = physics.step(game.state, self.actions[env_idx]);
            game.state = state;
            game.n_steps += 1;
            let truncated = !terminated && game.n_steps >= P::GAME.max_steps_per_game();
            if truncated {
                game.observe(&mut out.final_obs[row.clone()]);
            }
            if terminated || truncated {
                *game = Game::new(game.seed, game.number + 1, &mut physics);
            }
            game.observe(&mut out.obs[row]);
            out.reward[env_idx] = reward;
            out.terminated[env_idx] = terminated;
            out.truncated[env_idx] = truncated;
            out.game_over[env_idx] = terminated || truncated;
        }
        self.turn = Turn::Ready;
        Ok(())
    }
}

impl<P: Physics> Game<P> {
    /// Game `number` of the environment with this seed.
    fn new(seed: u32, number: u64, physics: &mut P) -> Self {
        Self {
            seed,
            number,
            n_steps: 0,
            state: physics.start(game_seed(seed, number)),
        }
    }

    /// Writes what is seen of the game: f32s in little-endian.
    fn observe(&self, out: &mut [u8]) {
        let places = out.chunks_exact_mut(FEATURE_BYTES);
        for (place, feature) in places.zip(P::features(self.state)) {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "observations are 32-bit floats, as in Gymnasium"
            )]
            let feature = feature as f32;
            place.copy_from_slice(&feature.to_le_bytes());
        }
    }
}

/// What a game's start is drawn from: each environment has a stream of its own, each game a number in it.
fn game_seed(seed: u32, number: u64) -> u64 {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(seed));
    rng.set_stream(number);
    rng.next_u64()
}
