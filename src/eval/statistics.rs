//! What is said of the scores of many games.

use serde::Serialize;

/// Statistics of raw scores, or of human-normalised ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Statistics {
    /// Their mean.
    pub(super) mean: f64,
    /// Half of them are less.
    pub(super) median: f64,
    /// Mean of the middle half. Source: Agarwal et al. 2021 (arXiv 2108.13264), as rliable computes it:
    /// `scipy.stats.trim_mean(scores, 0.25)`.
    pub(super) iqm: f64,
    /// The least.
    pub(super) min: f64,
    /// The greatest.
    pub(super) max: f64,
    /// Standard deviation, of a sample; none of a single game.
    pub(super) std: Option<f64>,
}

impl Statistics {
    /// Those of `scores`.
    ///
    /// # Panics
    /// If there are none.
    pub(super) fn of(scores: &[f64]) -> Self {
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        // Of an odd number a quarter is rounded down, so that more than half is left.
        let cut = n / 4;
        Self {
            mean: mean(&sorted),
            median: f64::midpoint(sorted[(n - 1) / 2], sorted[n / 2]),
            iqm: mean(&sorted[cut..n - cut]),
            min: sorted[0],
            max: sorted[n - 1],
            std: deviation(&sorted),
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len())
}

fn deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / count(values.len() - 1)).sqrt())
}

#[expect(clippy::cast_precision_loss, reason = "far fewer games than 2^52")]
fn count(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scores: &[f64], expected: [f64; 5]) {
        let Statistics {
            mean,
            median,
            iqm,
            min,
            max,
            ..
        } = Statistics::of(scores);
        for (got, expected) in [mean, median, iqm, min, max].into_iter().zip(expected) {
            assert!(
                (got - expected).abs() < 1e-12,
                "{scores:?}: {got}, {expected}"
            );
        }
    }

    /// The third numbers are what `scipy.stats.trim_mean(scores, 0.25)` gives.
    #[test]
    fn the_interquartile_mean_is_that_of_rliable() {
        check(&[5.0], [5.0; 5]);
        check(&[1.0, 9.0], [5.0, 5.0, 5.0, 1.0, 9.0]);
        check(&[1.0, 2.0, 90.0], [31.0, 2.0, 31.0, 1.0, 90.0]);
        check(&[100.0, 1.0, 3.0, 2.0], [26.5, 2.5, 2.5, 1.0, 100.0]);
        check(
            &[7.0, 1.0, 3.0, 100.0, 4.0],
            [23.0, 4.0, 14.0 / 3.0, 1.0, 100.0],
        );
        let ten: Vec<f64> = (0..10).map(|k| f64::from(k * k)).collect();
        check(&ten, [28.5, 20.5, 139.0 / 6.0, 0.0, 81.0]);
    }

    #[test]
    fn the_deviation_is_that_of_a_sample() {
        assert_eq!(Statistics::of(&[3.0]).std, None);
        let std = Statistics::of(&[2.0, 4.0, 4.0, 6.0]).std.unwrap();
        assert!((std - (8.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    }
}
