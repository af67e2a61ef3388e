//! What a cohort comes to: scores of each game, verdicts of each pair of variants, and statistics over the games.

use rayon::prelude::*;

use super::cohort::{Cell, Cohort};
use super::score::score;
use super::statistics::{
    Aggregates, Bootstrap, Interval, Profile, Scores, aggregates, difference_interval, mean,
    mean_interval, probability_of_improvement, profile,
};
use crate::human;

/// Seeds that each side needs for a verdict.
pub(crate) const SEEDS_FOR_VERDICT: usize = 3;
/// Pairs of variants that are compared; more would hide the ones that matter.
const MAX_PAIRS: usize = 10;

/// The scores of a variant on a game, one for each counted run.
#[derive(Clone, Debug, Default)]
pub(crate) struct CellScores {
    /// Mean of the last 100 games.
    pub(crate) finals: Vec<f64>,
    /// Mean over steps of the 100-game mean.
    pub(crate) areas: Vec<f64>,
    /// Final scores, human-normalised; none without a human score.
    pub(crate) normalised: Option<Vec<f64>>,
}

/// Two variants, by their places in the cohort, and how they compare.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    /// What is compared with.
    pub(crate) base: usize,
    /// What is compared.
    pub(crate) other: usize,
    /// Each game that both have, by its place.
    pub(crate) games: Vec<(usize, Verdict)>,
    /// The probability that `other` is better than `base`; none without a game in common that has a human score.
    pub(crate) improvement: Option<Improvement>,
}

/// A probability of improvement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Improvement {
    /// The probability.
    pub(crate) value: f64,
    /// Its bootstrap interval; none for a variant with single seeds.
    pub(crate) interval: Option<Interval>,
    /// Games in it.
    pub(crate) n_games: usize,
}

/// How a variant compares with another on a game.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// The interval of the difference of the mean final scores is above 0.
    Better(Interval),
    /// It holds 0: no difference is shown.
    Similar(Interval),
    /// It is below 0.
    Worse(Interval),
    /// Too few seeds.
    NotDecided(Option<Interval>),
}

/// Statistics of a variant over games.
#[derive(Clone, Debug)]
pub(crate) struct OverGames {
    /// The variant's place.
    pub(crate) variant: usize,
    /// Names of the games.
    pub(crate) n_games: usize,
    /// Runs of the game with the fewest and with the most.
    pub(crate) n_runs: (usize, usize),
    /// The four aggregates.
    pub(crate) points: Aggregates,
    /// Lower and upper ends of their intervals; none where a game has a single seed.
    pub(crate) ends: Option<[Aggregates; 2]>,
    /// The performance profile at [`Comparison::taus`].
    pub(crate) profile: Profile,
}

/// Everything that is computed for a cohort.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// Scores by game and variant.
    pub(crate) scores: Vec<Vec<CellScores>>,
    /// The pairs, those of one agent with different torsos first.
    pub(crate) pairs: Vec<Pair>,
    /// Pairs that were left out because there are too many.
    pub(crate) n_pairs_left_out: usize,
    /// Places of the games that the statistics over games are about.
    pub(crate) common_games: Vec<usize>,
    /// Statistics over games, of each variant that has them.
    pub(crate) over_games: Vec<OverGames>,
    /// The scores at which profiles are computed.
    pub(crate) taus: Vec<f64>,
}

/// Compares everything in a cohort.
pub(crate) fn compare(cohort: &Cohort<'_>, bootstrap: Bootstrap) -> Comparison {
    let scores: Vec<Vec<CellScores>> = cohort
        .games
        .par_iter()
        .map(|game| {
            let cells = game.cells.iter();
            cells
                .map(|cell| cell_scores(cell, &game.name, game.horizon))
                .collect()
        })
        .collect();
    let (places, n_pairs_left_out) = pairs(cohort);
    let pairs = places
        .into_iter()
        .map(|(base, other)| pair(&scores, base, other, bootstrap))
        .filter(|pair| !pair.games.is_empty())
        .collect();
    let common_games = common_games(&scores, cohort.variants.len());
    let taus = taus(&scores, &common_games);
    let over_games = (0..cohort.variants.len())
        .filter_map(|variant| over_games(&scores, &common_games, variant, &taus, bootstrap))
        .collect();
    Comparison {
        scores,
        pairs,
        n_pairs_left_out,
        common_games,
        over_games,
        taus,
    }
}

impl Verdict {
    /// The word for it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Better(_) => "better",
            Self::Similar(_) => "similar",
            Self::Worse(_) => "worse",
            Self::NotDecided(_) => "not decided",
        }
    }

    /// The interval of the difference, if there are two seeds on either side.
    pub(crate) fn interval(self) -> Option<Interval> {
        match self {
            Self::Better(interval) | Self::Similar(interval) | Self::Worse(interval) => {
                Some(interval)
            }
            Self::NotDecided(interval) => interval,
        }
    }
}

/// The rule: 95% interval of the difference of means (Welch), and three seeds on either side.
pub(crate) fn verdict(base: &[f64], other: &[f64]) -> Verdict {
    match difference_interval(base, other) {
        Some(interval) if base.len().min(other.len()) >= SEEDS_FOR_VERDICT => {
            if interval.low > 0.0 {
                Verdict::Better(interval)
            } else if interval.high < 0.0 {
                Verdict::Worse(interval)
            } else {
                Verdict::Similar(interval)
            }
        }
        few => Verdict::NotDecided(few),
    }
}

impl CellScores {
    /// Mean and interval of the final scores.
    pub(crate) fn final_score(&self) -> Option<(f64, Option<Interval>)> {
        (!self.finals.is_empty()).then(|| (mean(&self.finals), mean_interval(&self.finals)))
    }
}

fn cell_scores(cell: &Cell<'_>, game: &str, horizon: u64) -> CellScores {
    let scored = cell
        .counted
        .iter()
        .filter_map(|run| score(&run.history, horizon));
    let (finals, areas): (Vec<f64>, Vec<f64>) =
        scored.map(|score| (score.last, score.area)).unzip();
    let normalised = finals
        .iter()
        .map(|&score| human::normalised(game, score))
        .collect();
    CellScores {
        finals,
        areas,
        normalised,
    }
}

/// The pairs to compare, and how many are left out.
fn pairs(cohort: &Cohort<'_>) -> (Vec<(usize, usize)>, usize) {
    let n = cohort.variants.len();
    let mut all: Vec<(usize, usize)> = (0..n)
        .flat_map(|a| (a + 1..n).map(move |b| (a, b)))
        .collect();
    let is_torso_pair = |&(a, b): &(usize, usize)| {
        let (a, b) = (&cohort.variants[a], &cohort.variants[b]);
        a.agent.is_some() && a.agent == b.agent && a.torso != b.torso
    };
    all.sort_by_key(|pair| !is_torso_pair(pair));
    let n_left_out = all.len().saturating_sub(MAX_PAIRS);
    all.truncate(MAX_PAIRS);
    (all, n_left_out)
}

fn pair(scores: &[Vec<CellScores>], base: usize, other: usize, bootstrap: Bootstrap) -> Pair {
    let has_both = |game: &usize| {
        !scores[*game][base].finals.is_empty() && !scores[*game][other].finals.is_empty()
    };
    let games: Vec<usize> = (0..scores.len()).filter(has_both).collect();
    let verdicts = games.iter().map(|&game| {
        let (base, other) = (&scores[game][base].finals, &scores[game][other].finals);
        (game, verdict(base, other))
    });
    Pair {
        base,
        other,
        games: verdicts.collect(),
        improvement: improvement(scores, &games, (base, other), bootstrap),
    }
}

fn improvement(
    scores: &[Vec<CellScores>],
    games: &[usize],
    (base, other): (usize, usize),
    bootstrap: Bootstrap,
) -> Option<Improvement> {
    let of = |variant: usize| -> Scores {
        let of_game = |&game: &usize| scores[game][variant].normalised.clone();
        games.iter().filter_map(of_game).collect()
    };
    let (base, other) = (of(base), of(other));
    let has_interval = base.iter().chain(&other).all(|runs| runs.len() > 1);
    (!base.is_empty()).then(|| Improvement {
        value: probability_of_improvement(&other, &base),
        interval: has_interval.then(|| bootstrap.of_two(&other, &base, probability_of_improvement)),
        n_games: base.len(),
    })
}

/// The games with a human score that every variant with any such game has.
fn common_games(scores: &[Vec<CellScores>], n_variants: usize) -> Vec<usize> {
    let has = |game: usize, variant: usize| {
        let cell = &scores[game][variant];
        !cell.finals.is_empty() && cell.normalised.is_some()
    };
    let takes_part: Vec<usize> = (0..n_variants)
        .filter(|&variant| (0..scores.len()).any(|game| has(game, variant)))
        .collect();
    (0..scores.len())
        .filter(|&game| {
            !takes_part.is_empty() && takes_part.iter().all(|&variant| has(game, variant))
        })
        .collect()
}

/// 61 scores from a random player's, 0, to a little above the best run, at most 8. Early runs are far below a human's score of 1.
fn taus(scores: &[Vec<CellScores>], games: &[usize]) -> Vec<f64> {
    let cells = games.iter().flat_map(|&game| &scores[game]);
    let best = cells
        .filter_map(|cell| cell.normalised.as_ref())
        .flatten()
        .copied()
        .fold(0.0, f64::max);
    let most = if best > 0.0 {
        (1.05 * best).min(8.0)
    } else {
        1.0
    };
    (0..=60).map(|part| most * f64::from(part) / 60.0).collect()
}

fn over_games(
    scores: &[Vec<CellScores>],
    games: &[usize],
    variant: usize,
    taus: &[f64],
    bootstrap: Bootstrap,
) -> Option<OverGames> {
    let of_game = |&game: &usize| scores[game][variant].normalised.clone();
    let runs: Scores = games
        .iter()
        .filter_map(of_game)
        .filter(|runs| !runs.is_empty())
        .collect();
    let n_runs = (
        runs.iter().map(Vec::len).min()?,
        runs.iter().map(Vec::len).max()?,
    );
    Some(OverGames {
        variant,
        n_games: runs.len(),
        n_runs,
        points: aggregates(&runs),
        ends: (n_runs.0 > 1).then(|| bootstrap.aggregates(&runs)),
        profile: profile(&runs, taus, bootstrap),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_follow_the_interval_and_need_three_seeds() {
        let check = |base: &[f64], other: &[f64], expected: &str| {
            assert_eq!(
                verdict(base, other).as_str(),
                expected,
                "{base:?} {other:?}"
            );
        };
        let low = [1.0, 1.1, 0.9];
        check(&low, &[2.0, 2.1, 1.9], "better");
        check(&[2.0, 2.1, 1.9], &low, "worse");
        check(&low, &[1.0, 1.2, 0.9], "similar");
        check(&low, &[2.0, 2.1], "not decided");
        check(&[1.0], &[2.0, 2.1, 2.2], "not decided");
        check(&[0.0; 3], &[0.0; 3], "similar");
        assert!(verdict(&low, &[2.0, 2.1]).interval().is_some());
        assert_eq!(verdict(&low, &[2.0]).interval(), None);
    }
}
