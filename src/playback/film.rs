//! Plays a game again and films it: the training's environment, and the same in colour, with the recorded seed and actions.
//!
//! ```text
//! reset(seed)   actions before: not filmed   | picture, action | picture, action | ... | last picture
//!                                        game over                                 game over
//! ```
//!
//! The video is put in its place only once score and length are those of the table.

use std::path::Path;

use anyhow::{Result, ensure};
use rlrun_envs::{EnvConfig, GameSoFar};

use super::onlooker::Onlooker;
use crate::play::duet::Duet;
use crate::run::recorder::tape::Past;
use crate::run::rows::EpisodeRow;
use crate::video::{Panel, Video, VideoSpec};

/// What is filmed, and how.
#[derive(Debug)]
pub(super) struct Film<'a> {
    /// The video.
    pub(super) out: &'a Path,
    /// Pixels of the video to one of the game.
    pub(super) scale: usize,
    /// What the training's environments play.
    pub(super) config: &'a EnvConfig,
    /// How the game came to be.
    pub(super) past: &'a Past<'a>,
}

/// Plays the game, with an onlooker if there is to be a panel, and writes the video.
///
/// # Errors
/// Another game came of the recorded actions; the emulator failed, or the video cannot be written.
pub(super) fn film(
    film: &Film<'_>,
    onlooker: Option<Onlooker>,
    recorded: &EpisodeRow,
) -> Result<()> {
    let mut duet = Duet::begin(film.config, film.past.seed)?;
    let mut is_between_games = true;
    for &action in film.past.before {
        is_between_games = duet.step(action)?.game_over;
    }
    ensure!(
        is_between_games,
        "another game was going on where it begins; {WHY}"
    );
    duet.leave();
    let mut reel = Reel::begin(film, &duet, onlooker)?;
    let mut so_far = GameSoFar::default();
    let mut ended = None;
    for &action in film.past.game {
        reel.add(&duet, so_far, Some(action))?;
        let step = duet.step(action)?;
        ended = so_far.step(step.reward, step.game_over);
        if ended.is_some() {
            break;
        }
    }
    check(ended, so_far, recorded)?;
    reel.add(&duet, ended.unwrap_or(so_far), None)?;
    reel.video.finish()?;
    Ok(())
}

/// What another game may come from.
const WHY: &str =
    "the recorder's file or the table was changed, or ale-py is not the version in versions.json";

/// Whether the game that was played is the recorded one.
fn check(ended: Option<GameSoFar>, so_far: GameSoFar, recorded: &EpisodeRow) -> Result<()> {
    let got = ended.unwrap_or(so_far);
    let is_same = ended.is_some()
        && got.score.to_bits() == recorded.score.to_bits()
        && got.length_steps == recorded.length_steps;
    ensure!(
        is_same,
        "the replayed game has score {} after {} steps{}, the recorded one {} after {}; {}",
        got.score,
        got.length_steps,
        if ended.is_some() {
            ""
        } else {
            " and is not over"
        },
        recorded.score,
        recorded.length_steps,
        WHY
    );
    Ok(())
}

/// A video under way.
struct Reel {
    video: Video,
    onlooker: Option<Onlooker>,
    scale: usize,
}

impl Reel {
    fn begin(film: &Film<'_>, duet: &Duet, onlooker: Option<Onlooker>) -> Result<Self> {
        let (width, height, scale) = (duet.width(), duet.height(), film.scale);
        let plain = VideoSpec {
            width,
            height,
            scale,
            frames_per_picture: film.config.protocol.frame_skip,
        };
        let with_panel = VideoSpec {
            width: Panel::total_width(width, scale),
            height: height * scale,
            // The panel's letters are drawn at the video's size.
            scale: 1,
            ..plain
        };
        let spec = if onlooker.is_some() {
            with_panel
        } else {
            plain
        };
        Ok(Self {
            video: Video::create(film.out, spec)?,
            onlooker,
            scale,
        })
    }

    /// Adds the picture of now, up to which the game has come so far, and the action that was chosen on it.
    fn add(&mut self, duet: &Duet, so_far: GameSoFar, action: Option<u8>) -> Result<()> {
        let picture = duet.picture();
        let Some(onlooker) = &mut self.onlooker else {
            return self.video.add(&picture);
        };
        let panel = onlooker.panel(duet, so_far, action);
        self.video.add(&panel.beside(&picture, self.scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_game_is_told_with_both_numbers() {
        let recorded = EpisodeRow {
            episode: 1,
            step: 160,
            env: 0,
            score: 20.0,
            length_steps: 80,
            length_frames: 320,
            wall_seconds: 0.0,
        };
        let game = |score, length_steps| GameSoFar {
            score,
            length_steps,
        };
        let none = GameSoFar::default();
        check(Some(game(20.0, 80)), none, &recorded).unwrap();
        let refuse = |ended, so_far| check(ended, so_far, &recorded).unwrap_err().to_string();
        let message = refuse(Some(game(10.0, 80)), none);
        assert!(
            message.contains("score 10 after 80 steps, the recorded one 20 after 80"),
            "{message}"
        );
        let message = refuse(Some(game(20.0, 79)), none);
        assert!(message.contains("score 20 after 79 steps"), "{message}");
        let message = refuse(None, game(20.0, 80));
        assert!(
            message.contains("after 80 steps and is not over"),
            "{message}"
        );
    }
}
