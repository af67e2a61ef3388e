//! The probability of improvement: how likely a run of one variant is better than a run of another on the same game.

use std::cmp::Ordering;

use super::{Scores, mean, real};

/// The mean over games of P(a run of `a` scores more than one of `b`), a tie counting half: the Mann-Whitney U statistic over
/// the number of pairs (Agarwal et al. 2021, appendix A.4). The games of both are the same, in the same order.
pub(crate) fn probability_of_improvement(a: &Scores, b: &Scores) -> f64 {
    debug_assert_eq!(a.len(), b.len(), "games");
    let of_games: Vec<f64> = a.iter().zip(b).map(|(a, b)| of_game(a, b)).collect();
    mean(&of_games)
}

fn of_game(a: &[f64], b: &[f64]) -> f64 {
    let wins = |x: f64, y: f64| match x.partial_cmp(&y) {
        Some(Ordering::Greater) => 1.0,
        Some(Ordering::Equal) => 0.5,
        _ => 0.0,
    };
    let pairs = a.iter().flat_map(|&x| b.iter().map(move |&y| (x, y)));
    pairs.map(|(x, y)| wins(x, y)).sum::<f64>() / real(a.len() * b.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        let check = |a: &[f64], b: &[f64], expected: f64| {
            let got = probability_of_improvement(&vec![a.to_vec()], &vec![b.to_vec()]);
            assert!((got - expected).abs() < 1e-12, "{a:?} {b:?}: {got}");
        };
        check(&[1.0], &[1.0], 0.5);
        check(&[2.0, 3.0], &[0.0, 1.0], 1.0);
        check(&[0.0], &[1.0, 2.0, 3.0], 0.0);
        check(&[1.0, 4.0], &[2.0, 4.0], 0.375);
        check(&[0.0], &[-0.0], 0.5);
        let two = probability_of_improvement(&vec![vec![1.0], vec![0.0]], &vec![vec![0.0]; 2]);
        assert!((two - 0.75).abs() < 1e-12);
    }
}
