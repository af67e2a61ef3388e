//! The memory against a naive twin, under random operations.

mod prioritized;
mod slack;
mod speed;
mod twin;
mod uniform;

use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use self::twin::Twin;
use super::{Ending, Prioritization, Replay, ReplayBatch, ReplayShape, Step};
use crate::stream::{Consumer, stream};

const PRIORITIZATION: Prioritization = Prioritization {
    alpha: 0.6,
    epsilon: 1e-3,
};

fn rng(key: u64) -> ChaCha8Rng {
    stream(key, Consumer::Replay, 0, 0)
}

fn memory(shape: ReplayShape, prioritization: Option<Prioritization>) -> Replay {
    let len = usize::try_from(shape.bytes()).unwrap();
    // Never-written bytes must not matter.
    Replay::new(shape, Box::new(vec![0xa5; len]), prioritization).unwrap()
}

/// A memory over the region of `memory` as it is now, resumed from what a checkpoint would have saved.
fn resumed(memory: &Replay, prioritization: Option<Prioritization>) -> Replay {
    let region = Box::new(memory.bytes().to_vec());
    Replay::new(*memory.shape(), region, prioritization)
        .unwrap()
        .resumed(&memory.state(), memory.priorities())
        .unwrap()
}

/// Small enough that a few hundred steps go around it many times. Sums of discounted rewards are exact.
fn random_shape(rng: &mut impl Rng) -> ReplayShape {
    let n_envs = rng.random_range(1..4);
    let window = rng.random_range(1..24);
    let slack = rng.random_range(0..6);
    ReplayShape {
        n_envs,
        capacity: n_envs * window - rng.random_range(0..n_envs),
        slack,
        late: rng.random_range(0..=slack),
        frame_len: rng.random_range(1..5),
        stack: rng.random_range(1..5),
        n_step: rng.random_range(1..=window.min(5)),
        discount: 0.5,
    }
}

/// A memory and its twin, to which the same happens.
struct Pair {
    memory: Replay,
    twin: Twin,
}

impl Pair {
    fn new(shape: ReplayShape, prioritization: Option<Prioritization>) -> Self {
        let mut pair = Self {
            memory: memory(shape, prioritization),
            twin: Twin::new(shape),
        };
        for env in 0..shape.n_envs {
            // A frame of no game must not shine through the black ones.
            pair.begin(env, &vec![0xff; shape.frame_len]);
        }
        pair
    }

    fn begin(&mut self, env: usize, frame: &[u8]) {
        self.memory.begin(env, frame);
        self.twin.begin(env, frame);
    }

    fn push(&mut self, env: usize, step: &Step<'_>) {
        self.memory.push(env, step);
        self.twin.push(env, step);
    }

    /// A step of a random environment, on which about one game in ten ends one way or another.
    fn random_step(&mut self, rng: &mut impl Rng) {
        let shape = *self.memory.shape();
        let mut frame = || -> Vec<u8> { (0..shape.frame_len).map(|_| rng.random()).collect() };
        let (next_frame, final_frame) = (frame(), frame());
        let final_frame = &final_frame;
        let env = rng.random_range(0..shape.n_envs);
        let ending = match rng.random_range(0..40) {
            0 => return self.begin(env, &next_frame),
            1 | 2 => Ending::LifeLost,
            3 | 4 => Ending::GameOver,
            5 | 6 => Ending::Truncated { final_frame },
            _ => Ending::None,
        };
        let step = Step {
            action: rng.random(),
            reward: f32::from(rng.random_range(-8_i8..=8)),
            ending,
            next_frame: &next_frame,
        };
        self.push(env, &step);
    }

    /// Every slot ever written gives what the twin says, or nothing; those that left the window lately are still found.
    fn check(&self) {
        let shape = self.memory.shape();
        let mut batch = ReplayBatch::new(1, shape.obs_len());
        let mut n_samplable = 0;
        for (slot, samplable) in self.twin.slots() {
            let found = self.memory.gather(&[slot], &[0.5], &mut batch);
            let expected = self.twin.find_late(slot);
            assert_eq!(found.is_ok(), expected.is_some(), "slot {slot}, {shape:?}");
            if let Some(expected) = expected {
                expected.check(&batch, 0);
                assert_eq!(batch.slot, [slot]);
            }
            n_samplable += usize::from(samplable.is_some());
        }
        assert_eq!(self.memory.n_samplable(), n_samplable);
    }
}
