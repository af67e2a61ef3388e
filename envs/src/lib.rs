//! Worlds that are stepped in batches: Atari through ALE, classic control from gym-rs, and scripted probes with known answers.
//!
//! This is the only room that knows Python, and it knows nothing of tensors, threads or learning. [`World::resolve`]
//! turns a name into a world, [`Protocol`] says how it is played, and [`make`] builds a [`BatchEnv`].

mod atari;
mod batch;
mod classic;
mod error;
mod probe;
mod protocol;
pub mod python;
mod recorded;
mod seed;
mod turn;
mod world;

pub use atari::{ATARI_BYTES_PER_ENV, AtariGame, ColourGame, ColourStep, GameInfo, list_games};
pub use batch::{BatchEnv, EnvSpec, ObsShape, StepBatch};
pub use classic::{CLASSICS_MEND, ClassicGame, HAS_CLASSICS};
pub use error::EnvError;
pub use probe::ProbeWorld;
pub use protocol::{Protocol, ProtocolName, UnknownProtocol};
pub use recorded::{GameSoFar, RecordedBatch, Recording, Recordings, SeedRule, Stretch};
pub use seed::env_seed;
pub use world::{UnknownGame, World};

use atari::AtariBatch;
use probe::ProbeBatch;

/// What [`make`] needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvConfig {
    /// What is played.
    pub world: World,
    /// How it is played. Of the rules, the probes hear only `life_loss_ends_return`, the classics none.
    pub protocol: Protocol,
    /// B: environments in the batch.
    pub n_envs: usize,
    /// Worker threads of the emulator for this batch. Only Atari has any.
    pub n_threads: usize,
}

impl EnvConfig {
    /// What the environments of [`make`] have in common, before any of them is made.
    pub fn spec(&self) -> EnvSpec {
        let protocol = &self.protocol;
        let (obs_shape, n_actions, frame_skip) = match self.world {
            World::Atari(game) => (
                ObsShape::Frames([
                    protocol.frame_stack,
                    protocol.screen_size,
                    protocol.screen_size,
                ]),
                game.n_actions(protocol),
                protocol.frame_skip,
            ),
            World::Classic(game) => (
                ObsShape::Features(game.feature_names().len()),
                game.action_names().len(),
                1,
            ),
            World::Probe(probe) => (ObsShape::Frames(probe::OBS_SHAPE), probe.n_actions(), 1),
        };
        EnvSpec {
            n_envs: self.n_envs,
            obs_shape,
            n_actions,
            frame_skip,
        }
    }
}

/// Builds a batch of environments. Building and the first reset take about 0.2 s per Atari environment together (ALE
/// computes a palette of 65,536 blended colours twice); the first half holds Python's lock, so several threads that make
/// their batches at the same time do so one after the other, and overlap only in `reset`.
///
/// # Errors
/// A number is out of range; Python, ale-py or the ROM is missing; or a classic is asked for and this build is without.
pub fn make(config: &EnvConfig) -> Result<Box<dyn BatchEnv>, EnvError> {
    let at_least_one = |what, got: usize| {
        if (1..=1 << 20).contains(&got) {
            return Ok(());
        }
        Err(EnvError::OutOfRange {
            what,
            expected: "1 to 1048576".to_owned(),
            got: got.to_string(),
        })
    };
    at_least_one("number of environments", config.n_envs)?;
    at_least_one("number of emulator threads", config.n_threads)?;
    match config.world {
        World::Atari(game) => Ok(Box::new(AtariBatch::new(game, config)?)),
        World::Classic(game) => classic::make(game, config),
        World::Probe(probe) => Ok(Box::new(ProbeBatch::new(probe, config))),
    }
}
