//! What a checkpoint saves of a memory beside its region, and how the memory is made of it again.

use serde::{Deserialize, Serialize};

use super::lane::Lane;
use super::priorities::Priorities;
use super::slots::Record;
use super::{Replay, ReplayError};

/// Where a memory stands. With its region and [`Replay::priorities`] it is the whole memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayState {
    /// One per environment.
    pub lanes: Vec<LaneState>,
    /// The bits of the greatest priority so far, an f32; none under uniform replay.
    pub greatest_priority_bits: Option<u32>,
}

/// Where one lane stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneState {
    /// The open slot, counted from the first one ever written.
    pub head: usize,
    /// What lies in it.
    pub open: Open,
}

/// The newest slot of a lane, whose action is still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Open {
    /// Nothing: no game has begun.
    Nothing,
    /// The first frame of a game.
    First,
    /// A later frame.
    Later,
}

impl Replay {
    /// Where it stands, for a checkpoint.
    pub fn state(&self) -> ReplayState {
        let greatest = self.priorities.as_ref().map(Priorities::greatest);
        ReplayState {
            lanes: self.lanes.iter().map(Lane::state).collect(),
            greatest_priority_bits: greatest.map(f32::to_bits),
        }
    }

    /// \[`n_envs`, window\] priorities to the power of alpha, for a checkpoint; empty under uniform replay.
    pub fn priorities(&self) -> &[f32] {
        self.priorities.as_ref().map_or(&[], Priorities::leaves)
    }

    /// A new memory becomes the one that was saved: it lies over the same region, and `state` and `priorities` are what
    /// [`Self::state`] and [`Self::priorities`] gave. The checkpoint vouches for it. If its environments are not where
    /// they were, [`Self::begin`] comes next: it cuts their games off.
    ///
    /// # Errors
    /// State or priorities are not those of such a memory.
    pub fn resumed(mut self, state: &ReplayState, priorities: &[f32]) -> Result<Self, ReplayError> {
        let what = "the number of environments";
        expect_equal(what, self.lanes.len(), state.lanes.len())?;
        for (lane, saved) in state.lanes.iter().enumerate() {
            self.resume_lane(lane, *saved)?;
        }
        self.resume_priorities(state, priorities)?;
        self.vouch();
        Ok(self)
    }

    fn resume_lane(&mut self, lane: usize, saved: LaneState) -> Result<(), ReplayError> {
        if saved.open == Open::Nothing {
            // From its first game on, a lane has an open slot.
            expect_equal("a slot before the first game", 0, saved.head)?;
        } else {
            let record = Record::open(saved.open == Open::First);
            self.slots.write_record(lane, saved.head, record);
        }
        let record = |t| self.slots.record(lane, t);
        self.lanes[lane] = Lane::resumed(self.shape(), saved, record);
        Ok(())
    }

    fn resume_priorities(&mut self, state: &ReplayState, saved: &[f32]) -> Result<(), ReplayError> {
        expect_equal(
            "the number of priorities",
            self.priorities().len(),
            saved.len(),
        )?;
        let greatest = state.greatest_priority_bits.map(f32::from_bits);
        let what = "the number of greatest priorities";
        let n_expected = usize::from(self.priorities.is_some());
        expect_equal(what, n_expected, usize::from(greatest.is_some()))?;
        if let (Some(priorities), Some(greatest)) = (&mut self.priorities, greatest) {
            priorities.load(saved, greatest);
            self.check_priorities()?;
        }
        Ok(())
    }

    /// Exactly what can be sampled has a priority; anything else would be drawn by mistake, or never.
    fn check_priorities(&self) -> Result<(), ReplayError> {
        for (lane_idx, lane) in self.lanes.iter().enumerate() {
            for place in 0..self.shape().window() {
                let slot = lane.at_place(place);
                let priority = self.priorities()[lane_idx * self.shape().window() + place];
                let is_samplable =
                    lane.ready().contains(&slot) && self.is_transition(lane_idx, slot);
                let fits = if is_samplable {
                    priority > 0.0 && priority.is_finite()
                } else {
                    priority.to_bits() == 0
                };
                if !fits {
                    let lane = lane_idx;
                    return Err(ReplayError::OtherPriority {
                        lane,
                        slot,
                        priority,
                    });
                }
            }
        }
        Ok(())
    }
}

fn expect_equal(what: &'static str, expected: usize, got: usize) -> Result<(), ReplayError> {
    if expected == got {
        return Ok(());
    }
    Err(ReplayError::OtherState {
        what,
        expected,
        got,
    })
}
