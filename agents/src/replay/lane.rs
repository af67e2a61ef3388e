//! Which slots of a lane can be sampled.

use std::ops::Range;

use super::ReplayShape;
use super::slots::Record;
use super::state::{LaneState, Open};

/// The cursor of one environment's ring.
///
/// ```text
///          window                      start = head - window
/// |--------------------------|         ready = start..max(ended, head + 1 - n)
/// start         ended      head
/// ```
///
/// A transition is complete when the slot n steps later is there, be it open, or when its return ended before. If slot t is
/// complete, then so is t - 1; so the complete ones are one range, except for slots that are no transition (CUT).
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    window: usize,
    n_step: usize,
    head: usize,
    open: Open,
    /// The slot after the newest one at which a return ended.
    ended: usize,
    /// Slots of the window that are no transition.
    n_cut: usize,
}

impl Lane {
    pub(super) fn new(shape: &ReplayShape) -> Self {
        Self {
            window: shape.window(),
            n_step: shape.n_step,
            head: 0,
            open: Open::Nothing,
            ended: 0,
            n_cut: 0,
        }
    }

    /// The lane that was saved as `state`, from the records of its window.
    pub(super) fn resumed(
        shape: &ReplayShape,
        state: LaneState,
        record: impl Fn(usize) -> Record,
    ) -> Self {
        let mut lane = Self::new(shape);
        lane.head = state.head;
        lane.open = state.open;
        for t in lane.window() {
            lane.count(t, record(t));
        }
        lane
    }

    pub(super) fn state(&self) -> LaneState {
        LaneState {
            head: self.head,
            open: self.open,
        }
    }

    /// The open slot.
    pub(super) fn head(&self) -> usize {
        self.head
    }

    /// What lies in it.
    pub(super) fn open(&self) -> Open {
        self.open
    }

    /// The slots that are sampled from, complete or not.
    pub(super) fn window(&self) -> Range<usize> {
        self.head.saturating_sub(self.window)..self.head
    }

    /// The slot of the window that lies at `place` modulo the window's length; one behind the head if none does.
    pub(super) fn at_place(&self, place: usize) -> usize {
        let start = self.window().start;
        start + (place + self.window - start % self.window) % self.window
    }

    /// The slots of the window that are complete, among them those that are no transition.
    pub(super) fn ready(&self) -> Range<usize> {
        let complete = (self.head + 1).saturating_sub(self.n_step);
        self.window().start..self.ended.max(complete)
    }

    /// The transitions that can be sampled. Slots that are no transition are complete as soon as they are written.
    pub(super) fn n_samplable(&self) -> usize {
        self.ready().len() - self.n_cut
    }

    /// The open slot is complete with `record`; `leaving` is the record of the slot that leaves the window for it.
    pub(super) fn close(&mut self, record: Record, leaving: Option<Record>) {
        if leaving.is_some_and(Record::is_cut) {
            self.n_cut -= 1;
        }
        self.count(self.head, record);
        self.head += 1;
        self.open = Open::Nothing;
    }

    /// A frame lies in slot `head`.
    pub(super) fn opened(&mut self, open: Open) {
        self.open = open;
    }

    fn count(&mut self, t: usize, record: Record) {
        if record.is_cut() {
            self.n_cut += 1;
        }
        if record.is_cut() || record.is_terminated() {
            self.ended = t + 1;
        }
    }
}
