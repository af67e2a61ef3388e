//! The statistics equal those of `rliable` on the same scores. `golden/make_golden.py` made the numbers.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Golden {
    taus: Vec<f64>,
    cases: Vec<Case>,
}

/// Scores are [run][game], ends are [lower, upper].
#[derive(Deserialize)]
struct Case {
    a: Vec<Vec<f64>>,
    b: Vec<Vec<f64>>,
    aggregates: [f64; 4],
    aggregates_ends: [[f64; 4]; 2],
    improvement: f64,
    improvement_ends: [f64; 2],
    above: Vec<f64>,
    above_ends: [Vec<f64>; 2],
}

const BOOTSTRAP: Bootstrap = Bootstrap {
    repeats: 50_000,
    seed: 1,
};

/// How far apart two bootstraps may end, in parts of the interval's width: at 50,000 repeats an end of a normal statistic
/// scatters by some 0.3% of the width. Statistics with few values jump by one of them.
const TOLERANCE: f64 = 0.02;

fn golden() -> Golden {
    serde_json::from_str(include_str!("golden/rliable.json")).unwrap()
}

/// From [run][game] to [game][run].
fn by_game(scores: &[Vec<f64>]) -> Scores {
    let game = |game: usize| scores.iter().map(|run| run[game]).collect();
    (0..scores[0].len()).map(game).collect()
}

fn fields(a: &Aggregates) -> [f64; 4] {
    [a.iqm, a.median, a.mean, a.optimality_gap]
}

/// The least distance between two scores of a game that differ; large only where scores are rounded.
fn resolution(scores: &Scores) -> f64 {
    let pairs = scores
        .iter()
        .flat_map(|runs| runs.iter().flat_map(|a| runs.iter().map(move |b| a - b)));
    pairs
        .filter(|difference| *difference > 1e-9)
        .fold(f64::INFINITY, f64::min)
}

fn check_exact(what: &str, got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-12, "{what}: {got}, {expected}");
}

/// `jump` is the distance between neighbouring values of a statistic that has few.
fn check_ends(what: &str, got: [f64; 2], expected: [f64; 2], jump: f64) {
    let allowed = TOLERANCE * (expected[1] - expected[0]) + jump + 1e-9;
    for (got, expected) in got.into_iter().zip(expected) {
        assert!(
            (got - expected).abs() <= allowed,
            "{what}: {got}, {expected} +- {allowed}"
        );
    }
}

#[test]
fn aggregates_are_those_of_rliable() {
    for (case_idx, case) in golden().cases.iter().enumerate() {
        let scores = by_game(&case.a);
        let points = fields(&aggregates(&scores));
        // One score of all becomes its neighbour in the same game.
        let jump = resolution(&scores) / real(scores.iter().map(Vec::len).sum());
        let ends = BOOTSTRAP.aggregates(&scores).map(|end| fields(&end));
        for (which, point) in points.into_iter().enumerate() {
            let what = format!("case {case_idx}, aggregate {which}");
            check_exact(&what, point, case.aggregates[which]);
            let expected = case.aggregates_ends.map(|end| end[which]);
            check_ends(&what, ends.map(|end| end[which]), expected, jump);
        }
    }
}

#[test]
fn the_probability_of_improvement_is_that_of_rliable() {
    for (case_idx, case) in golden().cases.iter().enumerate() {
        let (a, b) = (by_game(&case.a), by_game(&case.b));
        let what = format!("case {case_idx}");
        check_exact(&what, probability_of_improvement(&b, &a), case.improvement);
        let ends = BOOTSTRAP.of_two(&b, &a, probability_of_improvement);
        let jump = 1.0 / real(case.a.len() * case.b.len() * a.len());
        check_ends(&what, [ends.low, ends.high], case.improvement_ends, jump);
    }
}

#[test]
fn profiles_are_those_of_rliable() {
    let Golden { taus, cases } = golden();
    for (case_idx, case) in cases.iter().enumerate() {
        let scores = by_game(&case.a);
        let Profile { above, intervals } = profile(&scores, &taus, BOOTSTRAP);
        let jump = 1.0 / real(scores.iter().map(Vec::len).sum());
        for (tau_idx, interval) in intervals.iter().enumerate() {
            let what = format!("case {case_idx}, score {}", taus[tau_idx]);
            check_exact(&what, above[tau_idx], case.above[tau_idx]);
            let expected = [case.above_ends[0][tau_idx], case.above_ends[1][tau_idx]];
            check_ends(&what, [interval.low, interval.high], expected, jump);
        }
    }
}
