//! Numbers of one run: its curve, its final score and the area under its curve.
//!
//! All of them come from the mean score of the last 100 games, as a step function of the agent steps: it changes where a game
//! ends. Of fewer than 100 games, it is the mean of those there are.

use super::gather::History;
use super::statistics::real;

/// Games in the mean that a curve shows.
pub(crate) const WINDOW: usize = 100;

/// What a run comes to at a number of steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Score {
    /// Mean score of the last 100 games.
    pub(crate) last: f64,
    /// Mean over steps of the 100-game mean, from the end of the first game on.
    pub(crate) area: f64,
}

/// The score of a history at `horizon` steps; none if no game had ended by then.
pub(crate) fn score(history: &History, horizon: u64) -> Option<Score> {
    let mut means = means(history).take_while(|&(step, _)| step <= horizon);
    let (first_step, mut last) = means.next()?;
    let (mut since, mut area) = (first_step, 0.0);
    for (step, mean) in means {
        area += last * steps(step - since);
        (since, last) = (step, mean);
    }
    area += last * steps(horizon - since);
    let length = steps(horizon - first_step);
    Some(Score {
        last,
        area: if length > 0.0 { area / length } else { last },
    })
}

/// The 100-game mean at each point of an ascending grid; none before the first game has ended and after the last step of the run.
pub(crate) fn curve(history: &History, length_steps: u64, grid: &[u64]) -> Vec<Option<f64>> {
    let mut means = means(history).peekable();
    let mut current = None;
    let mut at = |&point: &u64| {
        while let Some((_, mean)) = means.next_if(|&(step, _)| step <= point) {
            current = Some(mean);
        }
        current.filter(|_| point <= length_steps)
    };
    grid.iter().map(&mut at).collect()
}

/// The mean of the last 100 games after each game.
fn means(history: &History) -> impl Iterator<Item = (u64, f64)> + '_ {
    let mut sum = 0.0;
    let points = history.points();
    let is_means = matches!(history, History::Means(_));
    points
        .iter()
        .enumerate()
        .map(move |(index, &(step, score))| {
            if is_means {
                return (step, score);
            }
            sum += score;
            if let Some(left) = index.checked_sub(WINDOW) {
                sum -= points[left].1;
            }
            (step, sum / real((index + 1).min(WINDOW)))
        })
}

/// A number of steps to compute with.
#[expect(clippy::cast_precision_loss, reason = "no run has 2^53 steps")]
pub(crate) fn steps(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn games(points: &[(u64, f64)]) -> History {
        History::Games(points.to_vec())
    }

    #[test]
    fn the_final_score_is_the_mean_of_the_last_100_games_or_of_fewer() {
        let history = games(
            &(1..=250)
                .map(|game| (game * 10, steps(game)))
                .collect::<Vec<_>>(),
        );
        let last = |horizon| score(&history, horizon).map(|score| score.last);
        assert_eq!(last(9), None);
        assert_eq!(last(10), Some(1.0));
        assert_eq!(last(25), Some(1.5));
        assert_eq!(last(1_000), Some(50.5));
        assert_eq!(last(1_010), Some(51.5));
        assert_eq!(last(9_999), Some(200.5));
    }

    #[test]
    fn the_area_is_the_mean_of_the_step_function() {
        // 4 from step 10, 2 from step 20, 4 from step 40 to 50.
        let history = games(&[(10, 4.0), (20, 0.0), (40, 8.0)]);
        let area = |horizon| score(&history, horizon).map(|score| score.area);
        assert_eq!(
            area(50),
            Some((4.0 * 10.0 + 2.0 * 20.0 + 4.0 * 10.0) / 40.0)
        );
        assert_eq!(area(10), Some(4.0));
        assert_eq!(area(30), Some(3.0));
        let means = History::Means(vec![(10, 1.0), (20, 3.0)]);
        assert_eq!(score(&means, 30).map(|score| score.area), Some(2.0));
    }

    #[test]
    fn a_curve_begins_with_the_first_game_and_ends_with_the_run() {
        let history = games(&[(10, 4.0), (20, 0.0)]);
        let got = curve(&history, 40, &[0, 10, 15, 20, 40, 50]);
        assert_eq!(
            got,
            [None, Some(4.0), Some(4.0), Some(2.0), Some(2.0), None]
        );
    }
}
