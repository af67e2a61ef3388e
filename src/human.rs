//! Scores as parts of the way from a random player to a human one.
//!
//! The scores of both stand in `configs/human-scores.toml`, with their source.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// What a game is measured by: raw scores of full games.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct References {
    /// Mean score of a player that draws every action, each as likely.
    pub(crate) random: f64,
    /// Mean score of a human.
    pub(crate) human: f64,
}

/// The references of a game by its canonical name; none outside of the 57 games.
pub(crate) fn references(game: &str) -> Option<References> {
    static TABLE: LazyLock<BTreeMap<String, References>> = LazyLock::new(|| {
        let text = include_str!("../configs/human-scores.toml");
        toml::from_str(text).expect("a test loads it")
    });
    TABLE.get(game).copied()
}

/// The human-normalised score of a raw one: 0 is a random player, 1 a human; none for a game without a human score.
pub(crate) fn normalised(game: &str, score: f64) -> Option<f64> {
    let References { random, human } = references(game)?;
    Some((score - random) / (human - random))
}

#[cfg(test)]
mod tests {
    use rlrun_envs::list_games;

    use super::*;

    #[test]
    fn the_table_has_the_57_games_under_their_own_names() {
        let games = list_games().iter().map(|game| game.name);
        let known: Vec<&str> = games.filter(|name| references(name).is_some()).collect();
        let text = include_str!("../configs/human-scores.toml");
        let rows = text.lines().filter(|line| line.contains("human ="));
        assert_eq!((known.len(), rows.count()), (57, 57));
        for game in known {
            let References { random, human } = references(game).unwrap();
            assert!(random < human, "{game}");
        }
    }

    #[test]
    fn a_random_player_is_at_0_and_a_human_at_1() {
        let check = |game, score, expected: f64| {
            let got = normalised(game, score).unwrap();
            assert!((got - expected).abs() < 1e-12, "{game}: {got}");
        };
        check("Breakout", 1.7, 0.0);
        check("Breakout", 30.5, 1.0);
        check("Pong", 21.0, (21.0 + 20.7) / (14.6 + 20.7));
        check("MsPacman", 307.3, 0.0);
        assert_eq!(normalised("Frogger", 10.0), None);
        assert_eq!(normalised("CartPole", 10.0), None);
    }
}
