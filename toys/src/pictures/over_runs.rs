//! Runs measured at different times, summarised at common ones.

use crate::task::NetKind;

use super::axis::Axis;

/// The times that a run can measure, seconds: from a nanosecond, earlier ones being its start, to 30,000 years.
pub(super) const MEASURABLE: std::ops::RangeInclusive<f64> = 1e-9..=1e12;
/// Times at which a summary is drawn.
const N_TIMES: u32 = 400;

/// What a run has measured while it trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// The network it trained.
    pub net: NetKind,
    /// Seconds since its start and the test metric then, 0 to 1, in any order.
    pub points: Vec<(f64, f64)>,
}

/// The metric of several runs at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    /// Seconds.
    pub(super) time: f64,
    /// The least of the runs.
    pub(super) least: f64,
    /// The one in the middle, or the mean of the two there.
    pub(super) median: f64,
    /// The greatest of the runs.
    pub(super) greatest: f64,
}

/// The measurements in order of time, without those that are no numbers or at times that cannot be. Metrics outside 0 to 1 are
/// moved to that end.
pub(super) fn in_order(curve: &Curve) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = curve
        .points
        .iter()
        .filter(|(time, metric)| (0.0..=*MEASURABLE.end()).contains(time) && metric.is_finite())
        .map(|&(time, metric)| (time, metric.clamp(0.0, 1.0)))
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points
}

/// Summaries from the first measurement of any run to the last, as far as they lie on the axis. Between measurements a run
/// has the value of the last one, after its end too; before its first it is not counted. The runs are [`in_order`].
pub(super) fn summaries(runs: &[Vec<(f64, f64)>], axis: &Axis, start: f64) -> Vec<Summary> {
    let time = |&(time, _): &(f64, f64)| time;
    let first = runs.iter().filter_map(|run| run.first().map(time));
    let last = runs.iter().filter_map(|run| run.last().map(time));
    let ends = first
        .min_by(f64::total_cmp)
        .zip(last.max_by(f64::total_cmp));
    let Some((first, last)) = ends else {
        return Vec::new();
    };
    let (first, last) = (first.max(start), last.max(start));
    axis.spread(first, last, N_TIMES)
        .into_iter()
        .filter_map(|time| summary(runs, time))
        .collect()
}

fn summary(runs: &[Vec<(f64, f64)>], time: f64) -> Option<Summary> {
    let mut metrics: Vec<f64> = runs.iter().filter_map(|run| at(run, time)).collect();
    metrics.sort_by(f64::total_cmp);
    let middle = metrics.len() / 2;
    let median = if metrics.len().is_multiple_of(2) {
        f64::midpoint(*metrics.get(middle.checked_sub(1)?)?, metrics[middle])
    } else {
        metrics[middle]
    };
    Some(Summary {
        time,
        least: *metrics.first()?,
        median,
        greatest: *metrics.last()?,
    })
}

/// The last known value of a run.
fn at(run: &[(f64, f64)], time: f64) -> Option<f64> {
    let n_known = run.partition_point(|&(measured, _)| measured <= time);
    n_known.checked_sub(1).map(|idx| run[idx].1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis() -> Axis {
        Axis::from_zero("", 10.0)
    }

    #[test]
    fn a_run_keeps_its_last_value_and_is_not_counted_before_its_first() {
        let run = [(1.0, 0.2), (3.0, 0.6)];
        let values = [0.9, 1.0, 2.9, 3.0, 99.0].map(|time| at(&run, time));
        assert_eq!(values, [None, Some(0.2), Some(0.2), Some(0.6), Some(0.6)]);
    }

    #[test]
    fn the_summary_of_three_and_of_two_runs() {
        let runs = [vec![(0.0, 0.1)], vec![(0.0, 0.4)], vec![(5.0, 0.8)]];
        let two = summary(&runs, 1.0).unwrap();
        assert!((two.median - 0.25).abs() < 1e-12);
        let three = summary(&runs, 5.0).unwrap();
        let expected = Summary {
            time: 5.0,
            least: 0.1,
            median: 0.4,
            greatest: 0.8,
        };
        assert_eq!(three, expected);
        assert_eq!(summary(&[], 1.0), None);
    }

    #[test]
    fn summaries_reach_from_the_first_measurement_to_the_last() {
        let runs = [vec![(2.0, 0.1), (4.0, 0.3)], vec![(3.0, 0.5), (9.0, 0.7)]];
        let all = summaries(&runs, &axis(), 0.0);
        assert_eq!(all.len(), N_TIMES as usize);
        let ends = (all[0], all[all.len() - 1]);
        assert_eq!(
            (ends.0.time.to_bits(), ends.1.time.to_bits()),
            (2_f64.to_bits(), 9_f64.to_bits())
        );
        assert!((ends.0.median - 0.1).abs() < 1e-12 && (ends.1.median - 0.5).abs() < 1e-12);
    }

    #[test]
    fn measurements_are_put_in_order_and_those_without_a_number_left_out() {
        let points = vec![
            (3.0, 0.5),
            (f64::NAN, 0.5),
            (1.0, f64::INFINITY),
            (-1.0, 0.5),
            (2.0, 1.5),
        ];
        let curve = Curve {
            net: NetKind::Conv,
            points,
        };
        assert_eq!(in_order(&curve), [(2.0, 1.0), (3.0, 0.5)]);
    }
}
