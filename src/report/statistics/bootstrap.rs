//! The stratified bootstrap: the runs of each game are drawn again from that game's runs, with replacement, and the statistic
//! is computed anew; the middle 95% of many such repeats are its interval.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use rayon::prelude::*;

use super::aggregate::aggregates_with;
use super::{Aggregates, CONFIDENCE, Interval, Scores, real};

/// Repeats that share a random stream and a thread's memory.
const BLOCK: usize = 500;

/// How often is resampled, and the seed of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bootstrap {
    /// Resamples.
    pub(crate) repeats: usize,
    /// Of the random streams: the same seed gives the same intervals on any number of threads.
    pub(crate) seed: u64,
}

impl Bootstrap {
    /// The lower and the upper ends of the intervals of all four aggregates.
    pub(crate) fn aggregates(self, scores: &Scores) -> [Aggregates; 2] {
        let scratch = || (scores.clone(), Vec::new());
        let repeats = self.repeat(scratch, |(resample, pooled), rng| {
            draw(scores, resample, rng);
            aggregates_with(resample, pooled)
        });
        let interval = |of: fn(&Aggregates) -> f64| percentiles(repeats.iter().map(of).collect());
        let iqm = interval(|a| a.iqm);
        let median = interval(|a| a.median);
        let mean = interval(|a| a.mean);
        let gap = interval(|a| a.optimality_gap);
        let end = |end: fn(&Interval) -> f64| Aggregates {
            iqm: end(&iqm),
            median: end(&median),
            mean: end(&mean),
            optimality_gap: end(&gap),
        };
        [end(|i| i.low), end(|i| i.high)]
    }

    /// The interval of a statistic of two variants, each resampled on its own.
    pub(crate) fn of_two(
        self,
        a: &Scores,
        b: &Scores,
        statistic: impl Fn(&Scores, &Scores) -> f64 + Sync,
    ) -> Interval {
        let scratch = || (a.clone(), b.clone());
        percentiles(self.repeat(scratch, |(of_a, of_b), rng| {
            draw(a, of_a, rng);
            draw(b, of_b, rng);
            statistic(of_a, of_b)
        }))
    }

    /// All repeats of `once`, in the order of their numbers, on all threads of the pool. Each block of repeats has memory of its
    /// own from `scratch` and a stream of its own.
    pub(super) fn repeat<S, T: Send>(
        self,
        scratch: impl Fn() -> S + Sync,
        once: impl Fn(&mut S, &mut ChaCha8Rng) -> T + Sync,
    ) -> Vec<T> {
        let blocks = (0..self.repeats.div_ceil(BLOCK)).into_par_iter();
        let of_block = |block: usize| {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(block as u64);
            let mut memory = scratch();
            let n_repeats = BLOCK.min(self.repeats - block * BLOCK);
            let repeats = (0..n_repeats).map(|_| once(&mut memory, &mut rng));
            repeats.collect::<Vec<T>>()
        };
        blocks
            .map(of_block)
            .collect::<Vec<_>>()
            .into_iter()
            .flatten()
            .collect()
    }
}

/// Fills `resample`, which has the shape of `scores`.
pub(super) fn draw(scores: &Scores, resample: &mut Scores, rng: &mut ChaCha8Rng) {
    for (runs, drawn) in scores.iter().zip(resample) {
        for score in drawn {
            *score = runs[rng.random_range(0..runs.len())];
        }
    }
}

/// The middle part of repeats, its ends between two of them interpolated as NumPy does.
pub(super) fn percentiles(mut repeats: Vec<f64>) -> Interval {
    repeats.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| {
        let place = part * real(repeats.len() - 1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "part is from 0 to 1, so that the place is an index"
        )]
        let below = place as usize;
        let above = (below + 1).min(repeats.len() - 1);
        repeats[below] + (place - real(below)) * (repeats[above] - repeats[below])
    };
    Interval {
        low: at((1.0 - CONFIDENCE) / 2.0),
        high: at(f64::midpoint(1.0, CONFIDENCE)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Bootstrap = Bootstrap {
        repeats: 1_234,
        seed: 7,
    };

    #[test]
    fn percentiles_are_interpolated() {
        let Interval { low, high } = percentiles((0..=100).rev().map(f64::from).collect());
        assert!((low - 2.5).abs() < 1e-12 && (high - 97.5).abs() < 1e-12);
        let one = percentiles(vec![3.0]);
        assert_eq!((one.low, one.high), (3.0, 3.0));
    }

    #[test]
    fn runs_are_drawn_within_their_game_only() {
        let scores = vec![vec![1.0, 2.0], vec![30.0], vec![400.0, 500.0, 600.0]];
        let seen = SHORT.repeat(
            || scores.clone(),
            |resample, rng| {
                draw(&scores, resample, rng);
                resample.clone()
            },
        );
        assert_eq!(seen.len(), SHORT.repeats);
        for resample in &seen {
            for (runs, drawn) in scores.iter().zip(resample) {
                assert!(drawn.iter().all(|score| runs.contains(score)));
                assert_eq!(runs.len(), drawn.len());
            }
        }
        assert!(seen.iter().any(|resample| resample[2] == [600.0; 3]));
    }

    #[test]
    fn the_number_of_threads_changes_nothing_and_the_seed_does() {
        let scores = vec![vec![0.1, 0.5, 0.9, 0.2], vec![1.0, 3.0, 2.0, 0.3]];
        let on = |threads: usize, bootstrap: Bootstrap| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| bootstrap.aggregates(&scores))
        };
        let one = on(1, SHORT);
        assert_eq!(one, on(3, SHORT));
        assert_ne!(one, on(3, Bootstrap { seed: 8, ..SHORT }));
    }
}
