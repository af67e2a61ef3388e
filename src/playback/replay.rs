//! `rlrun replay`: a game of a training is played again and filmed, if it is the recorded one.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::film::{Film, film};
use super::onlooker::Onlooker;
use super::played::PlayedRun;
use crate::cli::{ReplayArgs, Which};
use crate::config::grouped;
use crate::request::RequestError;
use crate::run::folder::EPISODES;
use crate::run::rows::EpisodeRow;
use crate::run::screen::{Screen, Verbosity};
use crate::train::setup::env_config;
use crate::video::VideoFormat;

/// Films the game that `args` ask for, and says where the video is.
///
/// # Errors
/// A [`RequestError`] if there is no such game or it cannot be replayed; another game came of it, or it cannot be played or
/// written. There is no video then.
pub(crate) fn replay(args: &ReplayArgs) -> Result<String> {
    let screen = Screen::new(Verbosity::Normal);
    let run = PlayedRun::open(&args.run)?;
    let game = chosen(&run.games, args.which())?;
    let past = run.past_of(game).map_err(|unseen| {
        let reason = run.in_words(unseen);
        RequestError::new(format!(
            "game {} cannot be replayed: {reason}",
            game.episode
        ))
    })?;
    let out = args.out(&run.plan.game, game.episode);
    check_out(&out)?;
    for damage in run.damage() {
        screen.warn(&damage);
    }
    let config = env_config(&run.plan, 1, 1)?;
    let onlooker = if args.panel {
        let steps = first_step(&run, game)..=game.step;
        Some(Onlooker::new(
            &args.run, &run.plan, &config, &steps, &screen,
        )?)
    } else {
        None
    };
    screen.say(&format!(
        "playing {} steps that led to game {}, and its {} steps",
        grouped(past.before.len() as u64),
        game.episode,
        grouped(game.length_steps)
    ));
    let film_of = Film {
        out: &out,
        scale: args.scale,
        config: &config,
        past: &past,
    };
    film(&film_of, onlooker, game).with_context(|| format!("replaying game {}", game.episode))?;
    Ok(in_words(game, config.protocol.frame_skip, &out))
}

/// The game that is asked for.
fn chosen(games: &[EpisodeRow], which: Which) -> Result<&EpisodeRow, RequestError> {
    let Some(last) = games.last() else {
        return Err(RequestError::new("no game has ended yet"));
    };
    let by_score = |a: &&EpisodeRow, b: &&EpisodeRow| a.score.total_cmp(&b.score);
    let found = match which {
        // Of equal ones the first, where `max_by` takes the last.
        Which::Best => games.iter().rev().max_by(by_score),
        Which::Worst => games.iter().min_by(by_score),
        Which::Last => Some(last),
        Which::Number(number) => games.iter().find(|game| game.episode == number),
        Which::AtStep(step) => games.iter().find(|game| game.step >= step),
    };
    found.ok_or_else(|| {
        let asked = match which {
            Which::AtStep(step) => format!("no game ended at step {} or later", grouped(step)),
            Which::Number(number) => format!("there is no game {number}"),
            Which::Best | Which::Worst | Which::Last => "there is no game".to_owned(),
        };
        RequestError::new(format!(
            "{asked}: {EPISODES} has games {} to {}, up to step {}; `rlrun episodes` lists them",
            games[0].episode,
            last.episode,
            grouped(last.step)
        ))
    })
}

/// Refuses early what would fail at the end.
fn check_out(out: &Path) -> Result<(), RequestError> {
    VideoFormat::of(out)?;
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    match folder {
        Some(folder) if !folder.is_dir() => Err(RequestError::new(format!(
            "there is no folder {} to write the video to",
            folder.display()
        ))),
        _ if out.is_dir() => Err(RequestError::new(format!("{} is a folder", out.display()))),
        _ => Ok(()),
    }
}

/// Steps of the run when the game began.
fn first_step(run: &PlayedRun, game: &EpisodeRow) -> u64 {
    let n_envs = run.plan.env.n_envs as u64;
    game.step
        .saturating_sub(game.length_steps.saturating_mul(n_envs))
}

fn in_words(game: &EpisodeRow, frame_skip: u32, out: &Path) -> String {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a game is far shorter than 2^52 frames"
    )]
    let seconds = (game.length_steps * u64::from(frame_skip)) as f64 / 60.0;
    format!(
        "game {}: score {} in {} steps ({seconds:.0} s), environment {}, ended at step {}; as recorded\n{}",
        game.episode,
        game.score,
        grouped(game.length_steps),
        game.env,
        grouped(game.step),
        out.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn games() -> Vec<EpisodeRow> {
        let game = |(episode, step, score)| EpisodeRow {
            episode,
            step,
            env: 0,
            score,
            length_steps: 50,
            length_frames: 200,
            wall_seconds: 0.0,
        };
        [(3, 160, 5.0), (4, 160, -2.0), (5, 400, 5.0), (6, 480, -2.0)]
            .map(game)
            .to_vec()
    }

    #[test]
    fn the_game_that_is_meant_is_found() {
        let games = games();
        let check = |which, expected| {
            let game = chosen(&games, which).unwrap();
            assert_eq!(game.episode, expected, "{which:?}");
        };
        check(Which::Best, 3);
        check(Which::Worst, 4);
        check(Which::Last, 6);
        check(Which::Number(5), 5);
        check(Which::AtStep(0), 3);
        check(Which::AtStep(160), 3);
        check(Which::AtStep(161), 5);
        let refuse = |which| chosen(&games, which).unwrap_err().to_string();
        assert!(refuse(Which::Number(2)).contains("no game 2: episodes.csv has games 3 to 6"));
        assert!(refuse(Which::AtStep(481)).contains("no game ended at step 481 or later"));
        assert!(chosen(&[], Which::Best).is_err());
    }

    #[test]
    fn a_video_that_could_not_be_written_is_refused_early() {
        let dir = tempfile::tempdir().unwrap();
        let refuse = |path: &Path| check_out(path).unwrap_err().to_string();
        assert!(refuse(&dir.path().join("none/game.mp4")).contains("there is no folder"));
        assert!(refuse(&dir.path().join("game.avi")).contains(".mp4 or .gif"));
        std::fs::create_dir(dir.path().join("folder.gif")).unwrap();
        assert!(refuse(&dir.path().join("folder.gif")).contains("is a folder"));
        check_out(&dir.path().join("game.gif")).unwrap();
        check_out(Path::new("game.mp4")).unwrap();
    }
}
