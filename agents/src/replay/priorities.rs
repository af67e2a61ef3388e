//! Priorities of the transitions, proportional variant.
//!
//! Source: Schaul et al. 2016, "Prioritized Experience Replay", section 3.3 and algorithm 1: priority
//! `p_i = |delta_i| + epsilon`, chance `P(i) = p_i^alpha / sum_k p_k^alpha`, weight `w_i = (N P(i))^-beta / max_k w_k`.
//! A batch of k is drawn from k equal shares of the total, one of each (appendix B.2.1). New transitions get the greatest
//! priority so far. Where the paper leaves open over what the greatest weight is taken, we take the batch, as Dopamine
//! does; N then cancels out.

use rand::{Rng, RngExt};

use super::sum_tree::SumTree;
use super::{ReplayError, ReplayShape};

/// How priorities follow from temporal-difference errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prioritization {
    /// Exponent of the priority: 0 is uniform.
    pub alpha: f64,
    /// Added to |delta|, above 0, so that every transition is drawn some time.
    pub epsilon: f64,
}

impl Prioritization {
    fn check(&self) -> Result<(), ReplayError> {
        let (what, expected, value) = if !(0.0..=1.0).contains(&self.alpha) {
            ("alpha of the priorities", "0 to 1", self.alpha)
        } else if !(self.epsilon > 0.0 && self.epsilon.is_finite()) {
            ("epsilon of the priorities", "above 0", self.epsilon)
        } else {
            return Ok(());
        };
        Err(ReplayError::OutOfRange {
            what,
            expected,
            value,
        })
    }

    /// (|delta| + epsilon)^alpha, above 0 and finite.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "priorities are stored in 32 bits"
    )]
    fn priority(&self, td_error: f32) -> f32 {
        let priority = (f64::from(td_error).abs() + self.epsilon).powf(self.alpha) as f32;
        priority.clamp(f32::MIN_POSITIVE, f32::MAX)
    }
}

/// The priorities to the power of alpha of all slots in the windows; 0 where a slot cannot be sampled.
#[derive(Debug)]
pub(super) struct Priorities {
    prioritization: Prioritization,
    /// Slots of each lane's window. Slot t of a lane has leaf lane * window + t mod window.
    window: usize,
    tree: SumTree,
    greatest: f32,
}

impl Priorities {
    pub(super) fn new(
        prioritization: Prioritization,
        shape: &ReplayShape,
    ) -> Result<Self, ReplayError> {
        prioritization.check()?;
        let window = shape.window();
        Ok(Self {
            prioritization,
            window,
            tree: SumTree::new(vec![0.0; shape.n_envs * window]),
            greatest: 1.0,
        })
    }

    /// Puts back what [`Self::leaves`] and [`Self::greatest`] gave.
    pub(super) fn load(&mut self, leaves: &[f32], greatest: f32) {
        self.tree = SumTree::new(leaves.to_vec());
        self.greatest = greatest;
    }

    pub(super) fn leaves(&self) -> &[f32] {
        self.tree.leaves()
    }

    /// The greatest priority so far; 1 before the first.
    pub(super) fn greatest(&self) -> f32 {
        self.greatest
    }

    /// The priority of a slot of the window.
    pub(super) fn get(&self, lane: usize, t: usize) -> f32 {
        self.tree.get(self.leaf(lane, t))
    }

    /// The slot cannot be sampled (any longer).
    pub(super) fn clear(&mut self, lane: usize, t: usize) {
        self.tree.set(self.leaf(lane, t), 0.0);
    }

    /// The slot can be sampled from now on.
    pub(super) fn admit(&mut self, lane: usize, t: usize) {
        self.tree.set(self.leaf(lane, t), self.greatest);
    }

    /// The slot, which can be sampled, was learned from with this error.
    pub(super) fn update(&mut self, lane: usize, t: usize, td_error: f32) {
        let priority = self.prioritization.priority(td_error);
        self.greatest = self.greatest.max(priority);
        self.tree.set(self.leaf(lane, t), priority);
    }

    /// Draws a slot from share `idx` of `n` equal shares of the total: its lane and its place in the window.
    pub(super) fn draw(&self, rng: &mut impl Rng, idx: usize, n: usize) -> (usize, usize) {
        #[expect(clippy::cast_precision_loss, reason = "a batch is far below 2^52")]
        let mass = (idx as f64 + rng.random::<f64>()) / n as f64 * self.tree.total();
        let leaf = self.tree.find(mass);
        (leaf / self.window, leaf % self.window)
    }

    /// Turns the priorities of a batch into its weights, of which the greatest is 1.
    pub(super) fn turn_into_weights(priority: &mut [f32], beta: f64) {
        let least = priority.iter().copied().fold(f32::INFINITY, f32::min);
        for value in priority {
            let ratio = f64::from(*value) / f64::from(least);
            #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
            let weight = ratio.powf(-beta) as f32;
            *value = weight;
        }
    }

    fn leaf(&self, lane: usize, t: usize) -> usize {
        lane * self.window + t % self.window
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_those_of_the_paper() {
        let prioritization = Prioritization {
            alpha: 0.5,
            epsilon: 1.0,
        };
        for (td_error, expected) in [(0.0, 1.0_f32), (-3.0, 2.0), (8.0, 3.0)] {
            let got = prioritization.priority(td_error);
            assert!((got - expected).abs() < 1e-6, "{td_error}: {got}");
        }
        assert!(prioritization.priority(f32::MAX).is_finite());
    }

    #[test]
    fn weights_are_those_of_the_paper() {
        let (priority, beta) = ([0.5_f32, 2.0, 8.0], 0.5);
        let mut weight = priority;
        Priorities::turn_into_weights(&mut weight, beta);
        // (N P)^-beta with N = 3 and a total of 10.5, divided by the greatest one.
        let paper = priority.map(|p| (3.0 * f64::from(p) / 10.5).powf(-beta));
        for (got, expected) in weight.iter().zip(paper.map(|w| w / paper[0])) {
            assert!((f64::from(*got) - expected).abs() < 1e-6, "{weight:?}");
        }
    }

    #[test]
    fn settings_without_meaning_are_refused() {
        let check = |alpha, epsilon| Prioritization { alpha, epsilon }.check();
        check(0.6, 1e-6).unwrap();
        check(1.5, 1e-6).unwrap_err();
        check(0.6, 0.0).unwrap_err();
        check(f64::NAN, 1e-6).unwrap_err();
    }
}
