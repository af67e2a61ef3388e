//! The slots of all lanes: frames and records in the bytes of a region, and stacks rebuilt from them.

use std::fmt;

use super::{Region, ReplayError, ReplayShape};

/// Bytes of a record: reward as a little-endian f32, action, flags.
pub(super) const RECORD_LEN: usize = 6;

/// The first observation of a game: frames before it count as black, as ALE stacks them.
const FIRST: u8 = 1;
/// The return ended with this transition.
const TERMINATED: u8 = 2;
/// No transition: the final observation of a game that was cut off.
const CUT: u8 = 4;

/// All of a slot but its frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Record {
    pub(super) reward: f32,
    pub(super) action: u8,
    flags: u8,
}

impl Record {
    /// A slot whose action is still to come.
    pub(super) fn open(is_first: bool) -> Self {
        Self {
            reward: 0.0,
            action: 0,
            flags: if is_first { FIRST } else { 0 },
        }
    }

    /// The slot as a transition.
    pub(super) fn transition(self, action: u8, reward: f32, terminated: bool) -> Self {
        let ending = if terminated { TERMINATED } else { 0 };
        Self {
            reward,
            action,
            flags: self.flags | ending,
        }
    }

    /// The slot as the final observation of a game that was cut off.
    pub(super) fn cut(self) -> Self {
        let flags = self.flags | CUT;
        Self { flags, ..self }
    }

    pub(super) fn is_first(self) -> bool {
        self.flags & FIRST != 0
    }

    pub(super) fn is_terminated(self) -> bool {
        self.flags & TERMINATED != 0
    }

    pub(super) fn is_cut(self) -> bool {
        self.flags & CUT != 0
    }
}

/// What follows a slot within n steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Future {
    /// Discounted sum of the rewards up to the end of the return, n at most.
    pub(super) reward: f32,
    /// What the value of `slot` counts.
    pub(super) discount: f32,
    /// The observation to bootstrap from. Where the return ended it counts nothing, and is the one that came next.
    pub(super) slot: usize,
}

/// Frames and records of all lanes.
pub(super) struct Slots {
    shape: ReplayShape,
    region: Box<dyn Region>,
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Slots");
        debug.field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl Slots {
    pub(super) fn new(shape: ReplayShape, region: Box<dyn Region>) -> Result<Self, ReplayError> {
        shape.check()?;
        let (expected, got) = (shape.bytes(), region.as_bytes().len());
        if got as u64 == expected {
            Ok(Self { shape, region })
        } else {
            Err(ReplayError::RegionLength { expected, got })
        }
    }

    pub(super) fn shape(&self) -> &ReplayShape {
        &self.shape
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.region.as_bytes()
    }

    pub(super) fn record(&self, lane: usize, t: usize) -> Record {
        let [at, _] = self.shape.record_bytes(lane, t..t + 1);
        let (reward, rest) = self.bytes()[at]
            .split_first_chunk()
            .expect("a record begins with four bytes of reward");
        Record {
            reward: f32::from_le_bytes(*reward),
            action: rest[0],
            flags: rest[1],
        }
    }

    pub(super) fn write_record(&mut self, lane: usize, t: usize, record: Record) {
        let [at, _] = self.shape.record_bytes(lane, t..t + 1);
        let bytes = &mut self.region.as_bytes_mut()[at];
        bytes[..4].copy_from_slice(&record.reward.to_le_bytes());
        bytes[4] = record.action;
        bytes[5] = record.flags;
    }

    pub(super) fn write_frame(&mut self, lane: usize, t: usize, frame: &[u8]) {
        let [at, _] = self.shape.frame_bytes(lane, t..t + 1);
        self.region.as_bytes_mut()[at].copy_from_slice(frame);
    }

    /// Writes `o_t` into `obs`, the newest frame last.
    pub(super) fn write_obs(&self, lane: usize, t: usize, obs: &mut [u8]) {
        let mut slot = t;
        let mut frames = obs.rchunks_exact_mut(self.shape.frame_len);
        for frame in &mut frames {
            let [at, _] = self.shape.frame_bytes(lane, slot..slot + 1);
            frame.copy_from_slice(&self.bytes()[at]);
            if self.record(lane, slot).is_first() {
                break;
            }
            // The first slot of a lane is the first of a game.
            slot = slot.saturating_sub(1);
        }
        frames.for_each(|frame| frame.fill(0));
    }

    /// The n-step return from slot `t`: `R = r_t+1 + discount r_t+2 + ...`, up to n rewards.
    ///
    /// Source: Sutton 1988; as DQN uses it, Hessel et al. 2018, "Rainbow", equation 3. A time limit ends the sum early,
    /// with the value of the final observation (Pardo et al. 2018, "Time Limits in Reinforcement Learning").
    pub(super) fn future(&self, lane: usize, t: usize) -> Future {
        let (mut reward, mut discount, mut slot) = (0.0, 1.0, t);
        while slot < t + self.shape.n_step {
            let record = self.record(lane, slot);
            if record.is_cut() {
                break;
            }
            reward += discount * record.reward;
            discount *= self.shape.discount;
            slot += 1;
            if record.is_terminated() {
                discount = 0.0;
                break;
            }
        }
        Future {
            reward,
            discount,
            slot,
        }
    }
}
