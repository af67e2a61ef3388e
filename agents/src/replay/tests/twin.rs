//! The naive twin: keeps every observation of every step whole, and computes samples from their definition.

use std::collections::VecDeque;

use super::{Ending, ReplayBatch, ReplayShape, Step};

/// What a memory of unlimited size would hold.
pub(super) struct Twin {
    shape: ReplayShape,
    envs: Vec<Env>,
}

#[derive(Default)]
struct Env {
    frames: VecDeque<Vec<u8>>,
    /// Whether the newest transition, if there is one, is of the game that is going on.
    has_stepped: bool,
    /// One per slot; `None` where it is no transition.
    slots: Vec<Option<Transition>>,
}

struct Transition {
    obs: Vec<u8>,
    action: u8,
    reward: f32,
    terminated: bool,
    truncated: bool,
    /// The next observation of the same game.
    next_obs: Vec<u8>,
}

/// A transition of n steps.
pub(super) struct Expected {
    obs_tm1: Vec<u8>,
    action_tm1: u8,
    reward_t: f32,
    discount_t: f32,
    obs_t: Vec<u8>,
}

impl Twin {
    pub(super) fn new(shape: ReplayShape) -> Self {
        let envs = (0..shape.n_envs).map(|_| Env::default()).collect();
        Self { shape, envs }
    }

    pub(super) fn begin(&mut self, env: usize, frame: &[u8]) {
        let env = &mut self.envs[env];
        if !env.frames.is_empty() {
            if env.has_stepped {
                let newest = env.slots.last_mut().unwrap().as_mut().unwrap();
                newest.truncated = !newest.terminated;
            }
            env.slots.push(None);
        }
        env.start(self.shape, frame);
    }

    pub(super) fn push(&mut self, env: usize, step: &Step<'_>) {
        let env = &mut self.envs[env];
        let obs = env.obs();
        let last_frame = match step.ending {
            Ending::Truncated { final_frame } => final_frame,
            _ => step.next_frame,
        };
        env.frames.pop_front();
        env.frames.push_back(last_frame.to_vec());
        env.has_stepped = true;
        env.slots.push(Some(Transition {
            obs,
            action: step.action,
            reward: step.reward,
            terminated: matches!(step.ending, Ending::LifeLost | Ending::GameOver),
            truncated: matches!(step.ending, Ending::Truncated { .. }),
            next_obs: env.obs(),
        }));
        if matches!(step.ending, Ending::Truncated { .. }) {
            env.slots.push(None);
        }
        if matches!(step.ending, Ending::GameOver | Ending::Truncated { .. }) {
            env.start(self.shape, step.next_frame);
        }
    }

    /// Every slot ever written, with its transition where it can be sampled.
    pub(super) fn slots(&self) -> impl Iterator<Item = (i64, Option<Expected>)> {
        self.envs.iter().enumerate().flat_map(move |(lane, env)| {
            (0..=env.slots.len()).map(move |t| {
                let slot = t * self.shape.n_envs + lane;
                (i64::try_from(slot).unwrap(), env.sample(t, self.shape, 0))
            })
        })
    }

    /// The transition of a slot, if it can be sampled.
    pub(super) fn sample(&self, slot: i64) -> Option<Expected> {
        let slot = usize::try_from(slot).unwrap();
        let n_envs = self.shape.n_envs;
        self.envs[slot % n_envs].sample(slot / n_envs, self.shape, 0)
    }

    /// The same, or one that left the window lately.
    pub(super) fn find_late(&self, slot: i64) -> Option<Expected> {
        let slot = usize::try_from(slot).unwrap();
        let n_envs = self.shape.n_envs;
        self.envs[slot % n_envs].sample(slot / n_envs, self.shape, self.shape.late)
    }
}

impl Env {
    fn start(&mut self, shape: ReplayShape, frame: &[u8]) {
        self.frames = vec![vec![0; shape.frame_len]; shape.stack - 1].into();
        self.frames.push_back(frame.to_vec());
        self.has_stepped = false;
    }

    fn obs(&self) -> Vec<u8> {
        self.frames.iter().flatten().copied().collect()
    }

    fn sample(&self, t: usize, shape: ReplayShape, late: usize) -> Option<Expected> {
        let is_in_window = t + shape.window() + late >= self.slots.len();
        let start = self.slots.get(t)?.as_ref().filter(|_| is_in_window)?;
        let mut reward_t = 0.0;
        let mut discount_t = 1.0;
        for k in 0..shape.n_step {
            // Not yet there: not yet complete.
            let transition = self.slots.get(t + k)?.as_ref().unwrap();
            reward_t += discount_t * transition.reward;
            discount_t *= shape.discount;
            let is_last = k + 1 == shape.n_step;
            if transition.terminated || transition.truncated || is_last {
                if transition.terminated {
                    discount_t = 0.0;
                }
                return Some(Expected {
                    obs_tm1: start.obs.clone(),
                    action_tm1: start.action,
                    reward_t,
                    discount_t,
                    obs_t: transition.next_obs.clone(),
                });
            }
        }
        unreachable!("n is at least 1");
    }
}

impl Expected {
    pub(super) fn check(&self, batch: &ReplayBatch, row: usize) {
        let of_row = row * self.obs_t.len()..(row + 1) * self.obs_t.len();
        assert_eq!(batch.obs_tm1[of_row.clone()], self.obs_tm1);
        assert_eq!(batch.action_tm1[row], i64::from(self.action_tm1));
        assert_eq!(batch.reward_t[row].to_bits(), self.reward_t.to_bits());
        assert_eq!(batch.discount_t[row].to_bits(), self.discount_t.to_bits());
        // An observation that counts nothing may be any.
        if self.discount_t > 0.0 {
            assert_eq!(batch.obs_t[of_row], self.obs_t);
        }
    }
}
