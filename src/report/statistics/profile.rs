//! Performance profiles: for each score the part of all runs that got more (Agarwal et al. 2021, section 4.2).

use super::bootstrap::{draw, percentiles};
use super::{Bootstrap, Interval, Scores, real};

/// A performance profile at given scores.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Profile {
    /// The part of all runs that got more than the score.
    pub(crate) above: Vec<f64>,
    /// Its pointwise intervals.
    pub(crate) intervals: Vec<Interval>,
}

/// The profile of a variant at the scores `taus`, which ascend.
pub(crate) fn profile(scores: &Scores, taus: &[f64], bootstrap: Bootstrap) -> Profile {
    let scratch = || (scores.clone(), vec![0_u32; taus.len()]);
    let repeats = bootstrap.repeat(scratch, |(resample, counts), rng| {
        draw(scores, resample, rng);
        count_above(resample, taus, counts);
        counts.clone()
    });
    let n_runs = real(scores.iter().map(Vec::len).sum());
    let mut counts = vec![0; taus.len()];
    count_above(scores, taus, &mut counts);
    let part = |&count: &u32| f64::from(count) / n_runs;
    let interval =
        |tau: usize| percentiles(repeats.iter().map(|counts| part(&counts[tau])).collect());
    Profile {
        above: counts.iter().map(part).collect(),
        intervals: (0..taus.len()).map(interval).collect(),
    }
}

/// How many scores are above each of `taus`.
fn count_above(scores: &Scores, taus: &[f64], counts: &mut [u32]) {
    counts.fill(0);
    for &score in scores.iter().flatten() {
        // A score is above all taus before this place; it is counted at the last of them.
        let n_below = taus.partition_point(|&tau| tau < score);
        if let Some(last) = n_below.checked_sub(1) {
            counts[last] += 1;
        }
    }
    for tau in (1..counts.len()).rev() {
        counts[tau - 1] += counts[tau];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_those_of_the_definition() {
        let scores = vec![vec![0.0, 0.5, 1.0], vec![-1.0, 2.0]];
        let taus = [-2.0, -1.0, 0.0, 0.5, 1.5, 2.0];
        let mut counts = [9; 6];
        count_above(&scores, &taus, &mut counts);
        let naive = taus.map(|tau| scores.iter().flatten().filter(|&&s| s > tau).count());
        assert_eq!(counts.map(|count| count as usize), naive);
    }

    #[test]
    fn a_profile_falls_and_its_intervals_hold_it() {
        let scores = vec![vec![0.1, 0.4, 0.3], vec![0.9, 0.2, 0.6]];
        let bootstrap = Bootstrap {
            repeats: 1_000,
            seed: 1,
        };
        let Profile { above, intervals } = profile(&scores, &[0.0, 0.25, 0.5, 1.0], bootstrap);
        assert_eq!(above, [1.0, 4.0 / 6.0, 2.0 / 6.0, 0.0]);
        for (value, interval) in above.iter().zip(&intervals) {
            assert!(interval.low <= *value && *value <= interval.high);
        }
        assert!(intervals[1].low < intervals[1].high);
    }
}
