//! What the scores of many games are summed up by (Agarwal et al. 2021, section 4.3).

use super::{Scores, real};

/// The score above which more is no gain for the optimality gap: a human's.
const GAMMA: f64 = 1.0;

/// The four aggregates of `rliable`; the same four again for the two ends of their intervals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Aggregates {
    /// Mean of all runs but the lowest and the highest quarter, games pooled.
    pub(crate) iqm: f64,
    /// Median over games of the mean over runs.
    pub(crate) median: f64,
    /// Mean over games of the mean over runs.
    pub(crate) mean: f64,
    /// How far runs stay below 1 on average, games pooled.
    pub(crate) optimality_gap: f64,
}

/// The aggregates of a variant. Where games have different numbers of runs, the pooled ones weigh each run alike.
///
/// # Panics
/// Without any game, or for a game without runs.
pub(crate) fn aggregates(scores: &Scores) -> Aggregates {
    aggregates_with(scores, &mut Vec::new())
}

/// As [`aggregates`], in memory that is used again.
pub(super) fn aggregates_with(scores: &Scores, pooled: &mut Vec<f64>) -> Aggregates {
    pooled.clear();
    pooled.extend(scores.iter().map(|runs| mean(runs)));
    let mean_of_means = mean(pooled);
    let median = median(pooled);
    pooled.clear();
    pooled.extend(scores.iter().flatten());
    let below = pooled.iter().map(|score| score.min(GAMMA)).sum::<f64>() / real(pooled.len());
    Aggregates {
        iqm: interquartile_mean(pooled),
        median,
        mean: mean_of_means,
        optimality_gap: GAMMA - below,
    }
}

/// The mean of numbers; not a number without any.
pub(crate) fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / real(numbers.len())
}

fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    let half = numbers.len() / 2;
    if numbers.len().is_multiple_of(2) {
        f64::midpoint(numbers[half - 1], numbers[half])
    } else {
        numbers[half]
    }
}

/// The 25% trimmed mean, as scipy has it: of n numbers floor(n / 4) are cut off at either end.
fn interquartile_mean(numbers: &mut [f64]) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    let n_cut = numbers.len() / 4;
    mean(&numbers[n_cut..numbers.len() - n_cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scores: &Scores, [iqm, median, mean, optimality_gap]: [f64; 4]) {
        let got = aggregates(scores);
        for (name, got, expected) in [
            ("iqm", got.iqm, iqm),
            ("median", got.median, median),
            ("mean", got.mean, mean),
            ("optimality gap", got.optimality_gap, optimality_gap),
        ] {
            assert!((got - expected).abs() < 1e-12, "{name}: {got}, {expected}");
        }
    }

    #[test]
    fn known_answers() {
        check(&vec![vec![0.5]], [0.5, 0.5, 0.5, 0.5]);
        check(&vec![vec![2.0]], [2.0, 2.0, 2.0, 0.0]);
        // 8 numbers: the two lowest and the two highest are cut off.
        let scores = vec![vec![0.0, 0.1, 0.2, 0.3], vec![0.4, 0.5, 0.6, 9.9]];
        check(&scores, [0.35, 1.5, 1.5, 0.6125]);
        // Games with different numbers of runs: the mean weighs games alike, the pooled ones runs.
        let scores = vec![vec![1.0], vec![0.0, 0.0, 0.0], vec![0.5]];
        check(&scores, [0.5 / 3.0, 0.5, 0.5, 0.7]);
    }
}
