//! Intervals over the seeds of one game, by Student's t: right for normal scores at any number of seeds from two.

use statrs::distribution::{ContinuousCDF as _, StudentsT};

use super::{CONFIDENCE, Interval, mean, real};

/// The interval of the mean of one value per seed; none for fewer than two seeds.
pub(crate) fn mean_interval(values: &[f64]) -> Option<Interval> {
    let (centre, error) = mean_and_error(values)?;
    around(centre, error, real(values.len() - 1))
}

/// The interval of mean(b) - mean(a), variances not taken to be equal (Welch 1947); none for fewer than two seeds on a side.
pub(crate) fn difference_interval(a: &[f64], b: &[f64]) -> Option<Interval> {
    let ((mean_a, error_a), (mean_b, error_b)) = (mean_and_error(a)?, mean_and_error(b)?);
    let (var_a, var_b) = (error_a * error_a, error_b * error_b);
    let freedom = (var_a + var_b).powi(2)
        / (var_a.powi(2) / real(a.len() - 1) + var_b.powi(2) / real(b.len() - 1));
    around(mean_b - mean_a, (var_a + var_b).sqrt(), freedom)
}

/// The mean, and its standard error.
fn mean_and_error(values: &[f64]) -> Option<(f64, f64)> {
    if values.len() < 2 {
        return None;
    }
    let centre = mean(values);
    let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
    let n = real(values.len());
    Some((centre, (squares / (n - 1.0) / n).sqrt()))
}

fn around(centre: f64, error: f64, freedom: f64) -> Option<Interval> {
    // Seeds that all got the same score: the interval is a point, and there are no degrees of freedom to speak of.
    let half = if error > 0.0 {
        let t = StudentsT::new(0.0, 1.0, freedom).ok()?;
        error * t.inverse_cdf(f64::midpoint(1.0, CONFIDENCE))
    } else {
        0.0
    };
    Some(Interval {
        low: centre - half,
        high: centre + half,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(got: Option<Interval>, low: f64, high: f64) {
        let got = got.unwrap();
        let off = (got.low - low).abs().max((got.high - high).abs());
        assert!(off < 1e-6, "{got:?}, expected {low} to {high}");
    }

    /// By `scipy.stats.t.interval` and `scipy.stats.ttest_ind(equal_var=False).confidence_interval`.
    #[test]
    fn known_answers() {
        check(mean_interval(&[1.0, 2.0, 4.0]), -1.461_249_7, 6.127_916_367);
        check(mean_interval(&[5.0, 5.0]), 5.0, 5.0);
        let (a, b) = ([1.0, 2.0, 4.0], [6.0, 9.0, 7.0, 8.5]);
        check(difference_interval(&a, &b), 2.229_759_813, 8.353_573_52);
        check(difference_interval(&[0.0, 0.0], &[0.0, 0.0]), 0.0, 0.0);
    }

    #[test]
    fn one_seed_has_no_interval() {
        assert_eq!(mean_interval(&[1.0]), None);
        assert_eq!(difference_interval(&[1.0, 2.0], &[1.0]), None);
    }
}
