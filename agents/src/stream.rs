//! One random stream per consumer, derived by key.
//!
//! A stream is `ChaCha8` under the key (seed, consumer, step), with the environment as its stream number. Whoever needs
//! randomness derives the stream at the point of use, so there is no generator state to carry along, to save in a
//! checkpoint, or to share between threads: the same step of the same plan always draws the same numbers.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Who draws. The numbers are part of every published result: never reuse or reorder them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Consumer {
    /// The initial weights of a network.
    Initialisation = 1,
    /// The action an environment takes.
    Action = 2,
    /// The seeds of the environments.
    EnvironmentSeed = 3,
    /// Whether an action is a random one, and which.
    Exploration = 4,
    /// Which transitions of a replay memory an update learns from.
    Replay = 5,
    /// The games of an evaluation, and the actions in them.
    Evaluation = 6,
}

/// The stream of `consumer` at `step`, of environment number `env_idx`.
pub fn stream(seed: u64, consumer: Consumer, step: u64, env_idx: u64) -> ChaCha8Rng {
    let mut key = [0_u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(consumer as u64).to_le_bytes());
    key[16..24].copy_from_slice(&step.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(env_idx);
    rng
}

/// A seed for something that draws on its own, such as the emulator.
pub fn derived_seed(seed: u64, consumer: Consumer, step: u64) -> u64 {
    stream(seed, consumer, step, 0).next_u64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_in_each_part_of_their_key_and_repeat_otherwise() {
        let draw = |seed, consumer, step, env| stream(seed, consumer, step, env).next_u64();
        let first = draw(1, Consumer::Action, 2, 3);
        assert_eq!(first, draw(1, Consumer::Action, 2, 3));
        for other in [
            draw(2, Consumer::Action, 2, 3),
            draw(1, Consumer::Initialisation, 2, 3),
            draw(1, Consumer::Action, 3, 3),
            draw(1, Consumer::Action, 2, 4),
        ] {
            assert_ne!(first, other);
        }
    }
}
