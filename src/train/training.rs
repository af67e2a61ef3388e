//! What a session drives: an algorithm at work, with its threads.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use rlrun_envs::{Recording, Stretch};
use tch::Tensor;

use super::collect::Behaviour;
use super::dqn::Opened;
use super::games::FinishedGame;
use crate::run::replay_file::Voucher;
use crate::run::screen::Screen;

/// An algorithm at work. The threads behind it end when it is dropped.
pub(crate) trait Training {
    /// Goes on by the smallest piece after which a checkpoint can be saved, and returns the games that ended in it, in the
    /// order of steps and environments.
    ///
    /// # Errors
    /// If a thread failed or training has diverged. The agent is then as its last update left it.
    fn advance(&mut self) -> Result<Vec<FinishedGame>>;

    /// Whether [`Self::state`] is one to go on from exactly; not after a failure in the middle of what cannot be taken back.
    fn is_whole(&self) -> bool {
        true
    }

    /// Steps taken in all, by all environments together.
    fn step(&self) -> u64;

    /// Optimizer steps in all.
    fn updates(&self) -> u64;

    /// Takes the run folder, before the first call of [`Self::state`], for what is too large for a checkpoint; and the replay
    /// memory that was found in it. Without one that a checkpoint vouches for, the training goes on with an empty one.
    ///
    /// # Errors
    /// If there is no room in it.
    fn settle(&mut self, folder: &Path, found: Option<Opened>, screen: &Screen) -> Result<()> {
        let _ = (folder, found, screen);
        Ok(())
    }

    /// What a checkpoint saves.
    ///
    /// # Errors
    /// If what is too large for a checkpoint could not be written.
    fn state(&mut self) -> Result<TrainingState>;

    /// The last state is on the disk.
    ///
    /// # Errors
    /// If a thread still holds what is to be marked.
    fn saved(&mut self) -> Result<()> {
        Ok(())
    }

    /// Whether a checkpoint is due before its time, because what the last one saved is about to be overwritten.
    fn wants_checkpoint(&self) -> bool {
        false
    }

    /// What each environment did since this was last asked, or since it was where the run began.
    fn take_new(&self) -> Vec<Vec<Stretch>>;

    /// The network's parameters, in order.
    fn weights(&self) -> Vec<(String, Tensor)>;

    /// A copy of the agent with `weights` of now or earlier, that plays as in an evaluation.
    ///
    /// # Errors
    /// If they are not those of its network.
    fn evaluated(&self, weights: &[(String, Tensor)]) -> Result<Box<dyn Behaviour + Send>>;

    /// Where the learner's thread spent its time since this was last asked, in the order in which things happen.
    fn take_time(&mut self) -> Vec<(&'static str, Duration)>;

    /// Scalars by their names in TensorBoard, means over the updates since this was last asked.
    fn take_means(&mut self) -> Vec<(&'static str, f64)>;
}

/// What a checkpoint saves of an algorithm.
#[derive(Debug)]
pub(crate) struct TrainingState {
    /// Parameters and optimizer state.
    pub(crate) tensors: Vec<(String, Tensor)>,
    /// What vouches for the replay memory of an off-policy agent.
    pub(crate) replay: Option<Voucher>,
    /// Step of the next update after a loss of that memory.
    pub(crate) learns_from: Option<u64>,
    /// How the environments came where they are, one of each.
    pub(crate) recordings: Vec<Recording>,
    /// As [`Means::sums`] gives them.
    pub(crate) means: Vec<[f64; 2]>,
}

/// Means of named values over the updates since they were last taken.
#[derive(Debug, Default)]
pub(crate) struct Means {
    means: Vec<Mean>,
    /// What a run that goes on begins with, until there are names.
    saved: Vec<[f64; 2]>,
}

#[derive(Debug)]
struct Mean {
    name: &'static str,
    sum: f64,
    n: f64,
}

impl Means {
    /// Takes in the values of an update, the same names in the same order each time. A value that is not finite is left
    /// out: some have none, such as the explained variance where all returns are equal.
    pub(crate) fn add(&mut self, values: &[(&'static str, f64)]) {
        if self.means.is_empty() {
            let saved = std::mem::take(&mut self.saved).into_iter();
            let mut saved = saved.chain(std::iter::repeat([0.0, 0.0]));
            let begin = |&(name, _)| {
                let [sum, n] = saved.next().expect("there is no end of them");
                Mean { name, sum, n }
            };
            self.means = values.iter().map(begin).collect();
        }
        for (mean, &(name, value)) in self.means.iter_mut().zip(values) {
            debug_assert_eq!(mean.name, name);
            if value.is_finite() {
                mean.sum += value;
                mean.n += 1.0;
            }
        }
    }

    /// The means; those of which there was no value are left out.
    pub(crate) fn take(&mut self) -> Vec<(&'static str, f64)> {
        let means = std::mem::take(&mut self.means).into_iter();
        means
            .filter(|mean| mean.n > 0.0)
            .map(|mean| (mean.name, mean.sum / mean.n))
            .collect()
    }

    /// Sum and number of each mean, for a checkpoint.
    pub(crate) fn sums(&self) -> Vec<[f64; 2]> {
        if self.means.is_empty() {
            return self.saved.clone();
        }
        self.means.iter().map(|mean| [mean.sum, mean.n]).collect()
    }

    /// Means that go on from what [`Self::sums`] gave.
    pub(crate) fn resumed(sums: &[[f64; 2]]) -> Self {
        Self {
            means: Vec::new(),
            saved: sums.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_leave_out_what_is_not_finite_and_start_anew_when_taken() {
        let mut means = Means::default();
        means.add(&[("a", 1.0), ("b", f64::NAN), ("c", f64::INFINITY)]);
        means.add(&[("a", 3.0), ("b", 5.0), ("c", f64::NAN)]);
        assert_eq!(means.take(), [("a", 2.0), ("b", 5.0)]);
        assert!(means.take().is_empty());
    }

    #[test]
    fn means_that_go_on_are_those_of_all_values() {
        let mut whole = Means::default();
        whole.add(&[("a", 1.5), ("b", f64::NAN)]);
        let mut resumed = Means::resumed(&Means::resumed(&whole.sums()).sums());
        for means in [&mut whole, &mut resumed] {
            means.add(&[("a", 2.0), ("b", 4.0)]);
        }
        let expected = [("a", 1.75), ("b", 4.0)];
        assert_eq!(
            (whole.take(), resumed.take()),
            (expected.into(), expected.into())
        );
    }
}
