//! The side of the memory on which batches come out.
//!
//! A slot of a [`ReplayBatch`] is `t * n_envs + lane`, where t counts all slots ever written to the lane: it never means
//! another transition later on. Batches are drawn with replacement, as in Mnih et al. 2015.

use rand::{Rng, RngExt};

use super::priorities::Priorities;
use super::{Replay, ReplayBatch, ReplayError};

impl Replay {
    /// Fills `batch` with transitions, each drawn from all that can be sampled with equal chances.
    ///
    /// # Errors
    /// There is no complete transition yet.
    ///
    /// # Panics
    /// If the observations of `batch` have another length.
    pub fn sample_uniform(
        &self,
        rng: &mut impl Rng,
        batch: &mut ReplayBatch,
    ) -> Result<(), ReplayError> {
        if self.n_samplable() == 0 {
            return Err(ReplayError::Empty);
        }
        let n_ready = self.lanes.iter().map(|lane| lane.ready().len()).sum();
        for row in 0..batch.len() {
            let (lane, t) = self.draw(rng, n_ready);
            self.write_row(batch, row, lane, t);
        }
        batch.weight.fill(1.0);
        Ok(())
    }

    /// Fills `batch` with transitions drawn by their priority, one from each of B equal shares of the total, and with
    /// the weights that make up for it to the degree of `beta`.
    ///
    /// # Errors
    /// There is no complete transition yet, or the memory keeps no priorities.
    ///
    /// # Panics
    /// If the observations of `batch` have another length.
    pub fn sample_prioritized(
        &self,
        rng: &mut impl Rng,
        beta: f64,
        batch: &mut ReplayBatch,
    ) -> Result<(), ReplayError> {
        let priorities = self.priorities.as_ref();
        let priorities = priorities.ok_or(ReplayError::NotPrioritized)?;
        if self.n_samplable() == 0 {
            return Err(ReplayError::Empty);
        }
        let n = batch.len();
        for row in 0..n {
            let (lane, place) = priorities.draw(rng, row, n);
            let t = self.lanes[lane].at_place(place);
            self.write_row(batch, row, lane, t);
            batch.weight[row] = priorities.get(lane, t);
        }
        Priorities::turn_into_weights(&mut batch.weight, beta);
        Ok(())
    }

    /// Fills `batch` with the transitions at `slots` and the weights `weight`: the batch that had them, once more.
    ///
    /// # Errors
    /// A slot is not in the window and has not left it lately either, or its transition is not complete.
    ///
    /// # Panics
    /// If `slots`, `weight` and `batch` differ in length, or the observations of `batch` have another length.
    pub fn gather(
        &self,
        slots: &[i64],
        weight: &[f32],
        batch: &mut ReplayBatch,
    ) -> Result<(), ReplayError> {
        assert_eq!(slots.len(), batch.len(), "slots of a batch");
        for (row, &slot) in slots.iter().enumerate() {
            let found = self.find_within(slot, self.shape().late);
            let (lane, t) = found.ok_or(ReplayError::NotThere { slot })?;
            self.write_row(batch, row, lane, t);
        }
        batch.weight.copy_from_slice(weight);
        Ok(())
    }

    /// Gives the transitions at `slots` the priorities of their new temporal-difference errors. Slots that have left the
    /// window meanwhile are passed over.
    ///
    /// # Errors
    /// An error is not finite (no priority is changed then), or the memory keeps no priorities.
    ///
    /// # Panics
    /// If `slots` and `td_errors` differ in length.
    pub fn update_priorities(
        &mut self,
        slots: &[i64],
        td_errors: &[f32],
    ) -> Result<(), ReplayError> {
        assert_eq!(slots.len(), td_errors.len(), "errors of a batch");
        let pairs = || slots.iter().copied().zip(td_errors.iter().copied());
        if let Some((slot, td_error)) = pairs().find(|(_, td_error)| !td_error.is_finite()) {
            return Err(ReplayError::NotFinite { slot, td_error });
        }
        for (slot, td_error) in pairs() {
            let found = self.find(slot);
            let priorities = self.priorities.as_mut();
            let priorities = priorities.ok_or(ReplayError::NotPrioritized)?;
            if let Some((lane, t)) = found {
                priorities.update(lane, t, td_error);
            }
        }
        Ok(())
    }

    /// A lane and a slot of it, drawn from the `n_ready` that are complete until it is a transition. At most every
    /// second one is none, but for games that ended before their first step.
    fn draw(&self, rng: &mut impl Rng, n_ready: usize) -> (usize, usize) {
        loop {
            let mut idx = rng.random_range(0..n_ready);
            for (lane_idx, lane) in self.lanes.iter().enumerate() {
                let ready = lane.ready();
                if idx >= ready.len() {
                    idx -= ready.len();
                } else if self.is_transition(lane_idx, ready.start + idx) {
                    return (lane_idx, ready.start + idx);
                } else {
                    break;
                }
            }
        }
    }

    /// Lane and slot of a transition that can be sampled, from a slot of a batch.
    fn find(&self, slot: i64) -> Option<(usize, usize)> {
        self.find_within(slot, 0)
    }

    /// The same, or one that has left the window by `late` slots at most.
    fn find_within(&self, slot: i64, late: usize) -> Option<(usize, usize)> {
        let slot = usize::try_from(slot).ok()?;
        let (lane, t) = (slot % self.lanes.len(), slot / self.lanes.len());
        let ready = self.lanes[lane].ready();
        let is_ready = (ready.start.saturating_sub(late)..ready.end).contains(&t);
        (is_ready && self.is_transition(lane, t)).then_some((lane, t))
    }

    pub(super) fn is_transition(&self, lane: usize, t: usize) -> bool {
        !self.slots.record(lane, t).is_cut()
    }

    /// Writes everything of a row but its weight.
    fn write_row(&self, batch: &mut ReplayBatch, row: usize, lane: usize, t: usize) {
        let obs_len = self.shape().obs_len();
        let of_row = row * obs_len..(row + 1) * obs_len;
        assert_eq!(batch.obs_t.len(), batch.len() * obs_len, "obs of a batch");
        let future = self.slots.future(lane, t);
        let slots = &self.slots;
        slots.write_obs(lane, t, &mut batch.obs_tm1[of_row.clone()]);
        slots.write_obs(lane, future.slot, &mut batch.obs_t[of_row]);
        batch.action_tm1[row] = i64::from(slots.record(lane, t).action);
        batch.reward_t[row] = future.reward;
        batch.discount_t[row] = future.discount;
        let slot = t * self.lanes.len() + lane;
        batch.slot[row] = i64::try_from(slot).expect("no run has 2^63 steps");
    }
}
