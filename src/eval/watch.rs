//! Which games of an evaluation are worth watching, and the command that shows one.

use std::fmt::Write as _;

use rlrun_envs::World;

use super::EvalRequest;
use super::games::PlayedGame;
use crate::player::{AskedRule, PolicyKind, SavedAgent, Which};

/// The best and the worst game, of equal ones the first, and how to watch the best; nothing of a game without a picture.
pub(super) fn in_words(saved: &SavedAgent, request: &EvalRequest, games: &[PlayedGame]) -> String {
    let has_picture = matches!(World::resolve(&saved.plan.game), Ok(World::Atari(_)));
    let by_score = |a: &&PlayedGame, b: &&PlayedGame| a.score.total_cmp(&b.score);
    // Of equal ones `max_by` takes the last.
    let best = games.iter().rev().max_by(by_score);
    let worst = games.iter().min_by(by_score);
    let (true, Some(best), Some(worst)) = (has_picture, best, worst) else {
        return String::new();
    };
    format!(
        "best: game {} with {}; worst: game {} with {}; to watch one:\n{}\n",
        best.game,
        best.score,
        worst.game,
        worst.score,
        command(saved, request, best.game)
    )
}

/// The words that film the game `number`. They name the step of the checkpoint, because a run that goes on has a newer one soon.
fn command(saved: &SavedAgent, request: &EvalRequest, number: usize) -> String {
    let mut words = format!("rlrun play {}", quoted(&saved.run.display().to_string()));
    let _ = match request.which {
        Which::Best => write!(words, " --checkpoint best"),
        Which::Newest | Which::Step(_) => write!(words, " --checkpoint {}", saved.step),
    };
    let AskedRule { policy, epsilon } = request.rule;
    words += match policy {
        Some(PolicyKind::Greedy) => " --greedy",
        Some(PolicyKind::Stochastic) => " --stochastic",
        None => "",
    };
    if let Some(epsilon) = epsilon {
        let _ = write!(words, " --epsilon {epsilon}");
    }
    if let Some(device) = request.device {
        let _ = write!(words, " --device {device}");
    }
    let _ = write!(words, " --seed {} --game-number {number}", request.seed);
    words
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:,@%=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_takes_every_folder_as_one_word() {
        assert_eq!(
            quoted("runs/MsPacman/a2c-conv/seed1"),
            "runs/MsPacman/a2c-conv/seed1"
        );
        assert_eq!(quoted("my runs/a"), "'my runs/a'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
