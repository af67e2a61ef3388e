//! The memory itself, and the side on which steps go in.

use super::lane::Lane;
use super::priorities::Priorities;
use super::slots::{Record, Slots};
use super::state::Open;
use super::{Ending, Prioritization, Region, ReplayError, ReplayShape, Step};

/// The newest transitions of some environments.
#[derive(Debug)]
pub struct Replay {
    pub(super) slots: Slots,
    pub(super) lanes: Vec<Lane>,
    pub(super) priorities: Option<Priorities>,
    /// For each lane, the open slot at the last checkpoint.
    vouched: Option<Vec<usize>>,
}

impl Replay {
    /// An empty memory in `region`, whose bytes need not be zero. Replay is uniform without `prioritization`.
    ///
    /// # Errors
    /// The shape or the prioritization is not possible, or the region is not of [`ReplayShape::bytes`] bytes.
    pub fn new(
        shape: ReplayShape,
        region: Box<dyn Region>,
        prioritization: Option<Prioritization>,
    ) -> Result<Self, ReplayError> {
        let slots = Slots::new(shape, region)?;
        let priorities = prioritization
            .map(|prioritization| Priorities::new(prioritization, &shape))
            .transpose()?;
        Ok(Self {
            slots,
            lanes: vec![Lane::new(&shape); shape.n_envs],
            priorities,
            vouched: None,
        })
    }

    /// The sizes it was made with.
    pub fn shape(&self) -> &ReplayShape {
        self.slots.shape()
    }

    /// The region's bytes. [`ReplayShape::frame_bytes`] and [`ReplayShape::record_bytes`] say what lies where.
    pub fn bytes(&self) -> &[u8] {
        self.slots.bytes()
    }

    /// The transitions that can be sampled now.
    pub fn n_samplable(&self) -> usize {
        self.lanes.iter().map(Lane::n_samplable).sum()
    }

    /// A game begins in environment `env`; `first_frame` is the newest of its first observation. If another one was
    /// going on, it counts as cut off at its newest observation.
    ///
    /// # Panics
    /// If there is no such environment, or the frame is not of `frame_len` bytes.
    pub fn begin(&mut self, env: usize, first_frame: &[u8]) {
        if self.lanes[env].open() != Open::Nothing {
            self.close(env, Record::cut);
        }
        self.open(env, first_frame, Open::First);
    }

    /// Stores a step of environment `env`.
    ///
    /// # Panics
    /// If there is no such environment, no game has begun in it, or a frame is not of `frame_len` bytes.
    pub fn push(&mut self, env: usize, step: &Step<'_>) {
        assert_ne!(self.lanes[env].open(), Open::Nothing, "a step of no game");
        let terminated = matches!(step.ending, Ending::LifeLost | Ending::GameOver);
        self.close(env, |open| {
            open.transition(step.action, step.reward, terminated)
        });
        if let Ending::Truncated { final_frame } = step.ending {
            self.open(env, final_frame, Open::Later);
            self.close(env, Record::cut);
        }
        let next = match step.ending {
            Ending::None | Ending::LifeLost => Open::Later,
            Ending::GameOver | Ending::Truncated { .. } => Open::First,
        };
        self.open(env, step.next_frame, next);
    }

    /// A checkpoint now vouches for what is kept. To be called once it is safely written.
    pub fn vouch(&mut self) {
        self.vouched = Some(self.lanes.iter().map(Lane::head).collect());
    }

    /// Slots that may still be written to every lane before one of them overwrites what the last checkpoint vouched for;
    /// `None` if there was no checkpoint. A step takes one slot, a step at which a game is cut off two,
    /// [`Self::begin`] one.
    pub fn slots_left(&self) -> Option<usize> {
        let shape = self.shape();
        let vouched = self.vouched.as_ref()?.iter();
        let left = vouched.zip(&self.lanes).map(|(&head, lane)| {
            let first_harm = shape.kept(head).start + shape.slots();
            (first_harm - 1).saturating_sub(lane.head())
        });
        left.min()
    }

    /// Lays a frame into the slot at the head, which becomes the open one.
    fn open(&mut self, env: usize, frame: &[u8], open: Open) {
        let lane = &mut self.lanes[env];
        self.slots.write_frame(env, lane.head(), frame);
        let record = Record::open(open == Open::First);
        self.slots.write_record(env, lane.head(), record);
        lane.opened(open);
    }

    /// Completes the open slot: the window moves on by one slot, and transitions may become complete by it.
    fn close(&mut self, env: usize, complete: impl FnOnce(Record) -> Record) {
        let (slots, lane) = (&mut self.slots, &mut self.lanes[env]);
        let t = lane.head();
        let record = complete(slots.record(env, t));
        slots.write_record(env, t, record);
        let leaving = t.checked_sub(slots.shape().window());
        let was_ready = lane.ready().end;
        lane.close(record, leaving.map(|t| slots.record(env, t)));
        if let Some(priorities) = &mut self.priorities {
            // The new slot has the priority's place of the leaving one.
            priorities.clear(env, t);
            for t in was_ready..lane.ready().end {
                if !slots.record(env, t).is_cut() {
                    priorities.admit(env, t);
                }
            }
        }
    }
}
