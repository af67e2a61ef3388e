//! `rlrun games`: what can be played, with actions and lives.

use std::fmt::Write as _;

use rlrun_envs::{CLASSICS_MEND, ClassicGame, GameInfo, HAS_CLASSICS, World, list_games};

use crate::request::RequestError;

/// Actions of the whole joystick; a game that uses them all is not worth a line of names.
const ALL_ACTIONS: usize = 18;

/// The table of all games, or what is known of one.
///
/// # Errors
/// There is no game of that name.
pub(crate) fn table(name: Option<&str>) -> Result<String, RequestError> {
    let Some(name) = name else {
        return Ok(all());
    };
    match World::resolve(name) {
        Ok(World::Atari(game)) => Ok(one(game.info())),
        Ok(World::Classic(game)) => Ok(classic(game)),
        Ok(probe @ World::Probe(_)) => Ok(format!(
            "{probe} is a scripted world with a known answer, for tests"
        )),
        Err(error) => Err(RequestError::new(error.to_string())),
    }
}

fn all() -> String {
    let mut text = format!(
        "{:<20}{:<20}{:>5}  {:>7}  minimal action set\n",
        "GAME", "ROM", "LIVES", "ACTIONS"
    );
    for game in list_games() {
        let actions = match game.n_actions() {
            ALL_ACTIONS => "all".to_owned(),
            _ => game.action_names().join(" "),
        };
        let _ = writeln!(
            text,
            "{:<20}{:<20}{:>5}  {:>7}  {actions}",
            game.name,
            game.rom_id,
            lives(game),
            game.n_actions()
        );
    }
    let n_games = list_games().len();
    let classics = ClassicGame::ALL.map(ClassicGame::name).join(" and ");
    text + &format!(
        "\n{n_games} games. Lives: `-` where a game does not count them. And from gym-rs: {classics}{}\n",
        without_classics()
    )
}

/// What there is to say of this build, in brackets.
fn without_classics() -> String {
    if HAS_CLASSICS {
        String::new()
    } else {
        format!(" (not in this build: {CLASSICS_MEND})")
    }
}

fn classic(game: ClassicGame) -> String {
    let mut text = format!("{}{}\n", game.name(), without_classics());
    let _ = writeln!(text, "gym      {}", game.gymnasium_id());
    let _ = writeln!(text, "limit    {} steps", game.max_steps_per_game());
    let _ = writeln!(text, "sees     {}", game.feature_names().join("; "));
    let _ = writeln!(text, "actions  {}", game.action_names().len());
    for (action, name) in game.action_names().iter().enumerate() {
        let _ = writeln!(text, "  {action:>2}  {name}");
    }
    text
}

fn one(game: &GameInfo) -> String {
    let mut text = format!("{}\n", game.name);
    let _ = writeln!(text, "ROM      {}", game.rom_id);
    let _ = writeln!(text, "lives    {}", lives(game));
    let _ = writeln!(text, "actions  {}", game.n_actions());
    for (action, name) in game.action_names().into_iter().enumerate() {
        let _ = writeln!(text, "  {action:>2}  {name}");
    }
    text
}

fn lives(game: &GameInfo) -> String {
    match game.lives {
        0 => "-".to_owned(),
        lives => lives.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_game_suggests_the_nearest() {
        let error = table(Some("MsPackman")).unwrap_err();
        assert!(error.to_string().contains("MsPacman"), "{error}");
    }

    #[test]
    fn the_table_has_a_line_for_each_game() {
        let text = table(None).unwrap();
        assert_eq!(text.lines().count(), 1 + list_games().len() + 2);
        let line = text.lines().find(|line| line.starts_with("Pong ")).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[..5], ["Pong", "pong", "-", "6", "NOOP"]);
    }

    #[test]
    fn a_classic_is_shown_with_what_is_seen_of_it() {
        let text = table(Some("CartPole-v1")).unwrap();
        assert!(text.starts_with("CartPole"), "{text}");
        assert_eq!(text.contains("not in this build"), !HAS_CLASSICS);
        assert!(text.contains("limit    500 steps"), "{text}");
        assert!(text.contains("actions  2\n   0  LEFT"), "{text}");
    }

    #[test]
    fn one_game_is_shown_with_its_actions() {
        let text = table(Some("ALE/MsPacman-v5")).unwrap();
        assert!(
            text.starts_with("MsPacman\nROM      ms_pacman\nlives    3\nactions  9\n"),
            "{text}"
        );
        assert!(text.contains("   0  NOOP\n   1  UP\n"), "{text}");
    }
}
