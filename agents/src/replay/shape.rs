//! The sizes of a replay memory, and where each slot lies in its region.
//!
//! ```text
//! region = lane 0 | lane 1 | ...       lane = P frames | P records       slot t of a lane lies at place t mod P
//!
//! P = slack + (stack - 1) + window + 1
//!       |          |           |     +-- the open slot
//!       |          |           +-- the newest transitions: what is sampled from
//!       |          +-- frames that the oldest of them need for their stacks
//!       +-- slots that may be written before what a checkpoint vouched for is overwritten; it vouches for `late` of them, too
//! ```

use std::ops::Range;

use super::ReplayError;
use super::slots::RECORD_LEN;

/// The sizes of a replay memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplayShape {
    /// Environments that are stored side by side, each in its own lane.
    pub n_envs: usize,
    /// Transitions in all. Each lane gets an equal share, rounded up. The final observation of a game that was cut off
    /// takes the room of a transition.
    pub capacity: usize,
    /// Slots that each lane has beyond its window.
    pub slack: usize,
    /// Those of the slack for what left the window between the draw of a batch and its update: a run that goes on in between has
    /// to find it again.
    pub late: usize,
    /// Bytes of one frame.
    pub frame_len: usize,
    /// Frames of one observation.
    pub stack: usize,
    /// Steps of a return.
    pub n_step: usize,
    /// Discount per step.
    pub discount: f32,
}

impl ReplayShape {
    /// Whether such a memory is possible.
    ///
    /// # Errors
    /// A size is 0, the discount is not within 0..=1, a return of n steps does not fit into a lane's window, or the bytes
    /// cannot be addressed. A stack of any depth fits, for it has slots of its own.
    pub fn check(&self) -> Result<(), ReplayError> {
        for (what, size) in [
            ("n_envs", self.n_envs),
            ("capacity", self.capacity),
            ("frame_len", self.frame_len),
            ("stack", self.stack),
            ("n_step", self.n_step),
        ] {
            if size == 0 {
                return Err(ReplayError::Zero { what });
            }
        }
        if !(0.0..=1.0).contains(&self.discount) {
            return Err(ReplayError::OutOfRange {
                what: "the discount",
                expected: "0 to 1",
                value: f64::from(self.discount),
            });
        }
        let (late, slack) = (self.late, self.slack);
        if late > slack {
            return Err(ReplayError::LateTooLong { late, slack });
        }
        let (n_step, window) = (self.n_step, self.window());
        if n_step > window {
            return Err(ReplayError::NStepTooLong { n_step, window });
        }
        let bytes = self.bytes();
        if isize::try_from(bytes).is_err() {
            return Err(ReplayError::TooLarge { bytes });
        }
        Ok(())
    }

    /// Bytes of the region, computed without allocating anything; the largest number there is if they are even more.
    pub fn bytes(&self) -> u64 {
        let lane = self.slots().saturating_mul(self.slot_len());
        lane.saturating_mul(self.n_envs) as u64
    }

    /// Slots of a lane that are sampled from, once all are written.
    pub fn window(&self) -> usize {
        self.capacity.div_ceil(self.n_envs.max(1))
    }

    /// P, the places of a lane.
    pub fn slots(&self) -> usize {
        self.window()
            .saturating_add(self.stack)
            .saturating_add(self.slack)
    }

    /// Bytes of one observation.
    pub fn obs_len(&self) -> usize {
        self.frame_len * self.stack
    }

    /// The slots that a lane needs when slot `head` is open: its window, what has left it lately, the frames before, and the open
    /// slot.
    pub fn kept(&self, head: usize) -> Range<usize> {
        head.saturating_sub(self.window() + self.late + self.stack - 1)..head + 1
    }

    /// Where in the region the frames of neighbouring `slots` lie: two ranges, the second one behind the ring's seam.
    ///
    /// # Panics
    /// If the slots are more than a lane has.
    pub fn frame_bytes(&self, lane: usize, slots: Range<usize>) -> [Range<usize>; 2] {
        self.bytes_of(lane * self.lane_len(), self.frame_len, slots)
    }

    /// Where in the region the records of neighbouring `slots` lie, like [`Self::frame_bytes`].
    ///
    /// # Panics
    /// If the slots are more than a lane has.
    pub fn record_bytes(&self, lane: usize, slots: Range<usize>) -> [Range<usize>; 2] {
        let first = lane * self.lane_len() + self.slots() * self.frame_len;
        self.bytes_of(first, RECORD_LEN, slots)
    }

    fn bytes_of(&self, first: usize, len: usize, slots: Range<usize>) -> [Range<usize>; 2] {
        let n_places = self.slots();
        assert!(slots.len() <= n_places, "{slots:?} of {n_places} places");
        let start = slots.start % n_places;
        let n_before_seam = slots.len().min(n_places - start);
        let at = |place: usize| first + place * len;
        [
            at(start)..at(start + n_before_seam),
            at(0)..at(slots.len() - n_before_seam),
        ]
    }

    fn slot_len(&self) -> usize {
        self.frame_len.saturating_add(RECORD_LEN)
    }

    fn lane_len(&self) -> usize {
        self.slots() * self.slot_len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATARI: ReplayShape = ReplayShape {
        n_envs: 1,
        capacity: 1_000_000,
        slack: 20_000,
        late: 8,
        frame_len: 84 * 84,
        stack: 4,
        n_step: 1,
        discount: 0.99,
    };

    #[test]
    fn a_million_transitions_of_atari_stay_below_7_4_gb() {
        assert_eq!(ATARI.bytes(), 1_020_004 * (7_056 + 6));
        assert!(ATARI.bytes() < 7_400_000_000);
        let n_envs = 8;
        let slack = 5_000;
        let shared = ReplayShape {
            n_envs,
            slack,
            ..ATARI
        };
        assert!(shared.bytes() < 7_400_000_000);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_numbers() {
        ATARI.check().unwrap();
        let refused = |shape: ReplayShape| shape.check().unwrap_err().to_string();
        let n_step = 1_000_001;
        assert!(refused(ReplayShape { n_step, ..ATARI }).contains("n_step 1000001"));
        let stack = 0;
        assert!(refused(ReplayShape { stack, ..ATARI }).contains("stack of at least 1"));
        let discount = f32::NAN;
        assert!(refused(ReplayShape { discount, ..ATARI }).contains("NaN, expected 0 to 1"));
        let capacity = usize::MAX;
        assert!(refused(ReplayShape { capacity, ..ATARI }).contains("cannot be addressed"));
        let late = 20_001;
        assert!(refused(ReplayShape { late, ..ATARI }).contains("20001 of 20000"));
        // Each of 8 lanes keeps 2 transitions.
        let (n_envs, capacity) = (8, 16);
        let small = ReplayShape {
            n_envs,
            capacity,
            ..ATARI
        };
        assert!(refused(ReplayShape { n_step: 3, ..small }).contains("2 transitions"));
    }

    #[test]
    fn slots_across_the_seam_lie_in_two_ranges() {
        let shape = ReplayShape {
            n_envs: 2,
            capacity: 8,
            slack: 2,
            late: 0,
            frame_len: 10,
            stack: 1,
            n_step: 1,
            discount: 1.0,
        };
        assert_eq!(shape.slots(), 7);
        assert_eq!(shape.bytes(), 2 * 7 * 16);
        assert_eq!(shape.frame_bytes(1, 7..9), [112..132, 112..112]);
        assert_eq!(shape.frame_bytes(1, 5..9), [162..182, 112..132]);
        assert_eq!(shape.record_bytes(0, 13..15), [106..112, 70..76]);
        assert_eq!(shape.kept(3), 0..4);
        assert_eq!(shape.kept(10), 6..11);
    }
}
