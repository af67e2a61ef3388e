//! `rlrun play`: a game of a saved agent, as a video or live in the terminal.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`duet`] | the grey environment that the agent sees, and beside it the same game in colour |
//! | [`saliency`] | what the network's answers depend on |
//! | [`show`] | pictures for those who watch: into the video, onto the terminal |
//! | [`terminal`] | pictures in a terminal |
//!
//! The game is one of those that `rlrun eval` plays with the same seed; the first, if none is named.

pub(crate) mod duet;
mod saliency;
mod show;
mod terminal;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use rlrun_envs::World;

use crate::cli::print;
use crate::config::grouped;
use crate::plan::{AgentKind, DeviceChoice};
use crate::player::{AskedRule, Look, Move, Player, Rule, SavedAgent, Which};
use crate::request::RequestError;
use crate::run::screen::{Screen, Verbosity};
use crate::run::stop::StopFlag;
use duet::Duet;
use saliency::Saliency;
use show::{Scene, Show};
pub(crate) use terminal::TerminalUse;

/// What is played, and how it is shown.
#[derive(Clone, Debug)]
pub(crate) struct PlayRequest {
    /// The run folder.
    pub(crate) run: PathBuf,
    /// Which checkpoint.
    pub(crate) which: Which,
    /// How actions are chosen.
    pub(crate) rule: AskedRule,
    /// Which games there are.
    pub(crate) seed: u64,
    /// Which of them is played: its number in the table of `rlrun eval`.
    pub(crate) game_number: usize,
    /// Where the network lives.
    pub(crate) device: Option<DeviceChoice>,
    /// The video.
    pub(crate) out: Option<PathBuf>,
    /// Whether the game is drawn in the terminal.
    pub(crate) terminal: TerminalUse,
    /// Whether more than score and action is shown.
    pub(crate) panel: bool,
    /// Whether the picture is shaded.
    pub(crate) saliency: bool,
    /// Pixels of the video for one of the game.
    pub(crate) scale: Option<usize>,
    /// Steps at most.
    pub(crate) max_steps: Option<u64>,
    /// Neither words nor the result.
    pub(crate) quiet: bool,
}

/// How a game ended, or where it was left.
struct Outcome {
    score: f64,
    steps: u64,
    how: &'static str,
}

/// Plays a game and shows it.
///
/// # Errors
/// A [`RequestError`] before anything is played; an emulator failed, or the video cannot be written.
pub(crate) fn run(request: &PlayRequest) -> Result<()> {
    let stop = StopFlag::on_signals().context("taking over Ctrl-C")?;
    let screen = Screen::new(if request.quiet {
        Verbosity::Quiet
    } else {
        Verbosity::Normal
    });
    let saved = SavedAgent::load(&request.run, request.which, request.device, &screen)?;
    let config = saved.envs(1, 1)?;
    let World::Atari(game) = config.world else {
        return Err(RequestError::new(format!(
            "{} has no picture, so there is nothing to watch; `rlrun eval` plays it",
            config.world
        ))
        .into());
    };
    let names = game.action_names(&config.protocol);
    let mut player = saved.player(request.rule, request.seed)?;
    let mut duet = Duet::begin(&config, player.env_seed(request.game_number))
        .map_err(|error| RequestError::new(error.to_string()))?;
    let mut show = Show::open(
        request,
        &saved,
        &config,
        (duet.width(), duet.height()),
        player.rule(),
    )?;
    let saliency = request.saliency.then(|| Saliency::new(duet.input_shape()));
    let performance = Performance {
        duet: &mut duet,
        player: &mut player,
        game: request.game_number,
        saliency,
        names: &names,
        has_probabilities: saved.plan.agent.kind() == AgentKind::A2c,
    };
    let outcome = performance.play(request.max_steps, &stop, &mut show)?;
    let video = show.close()?;
    if !request.quiet {
        print(&words(&saved, request, player.rule(), &outcome, video));
    }
    Ok(())
}

/// Everyone who takes part in a game.
struct Performance<'a> {
    duet: &'a mut Duet,
    player: &'a mut Player,
    /// Its number.
    game: usize,
    saliency: Option<Saliency>,
    names: &'a [&'a str],
    has_probabilities: bool,
}

impl Performance<'_> {
    /// Plays until the game is over, a stop is asked for, or so many steps are done.
    fn play(mut self, max_steps: Option<u64>, stop: &StopFlag, show: &mut Show) -> Result<Outcome> {
        let (mut score, mut steps) = (0.0, 0);
        loop {
            let one = Move {
                game: self.game,
                t: steps,
                obs: self.duet.obs(),
            };
            let look = self.player.look(&[one]).swap_remove(0);
            let action = self.player.action(&one, &look.outputs);
            self.show(show, (score, steps), &look, action)?;
            let step = self.duet.step(action)?;
            score += f64::from(step.reward);
            steps += 1;
            let how = if step.game_over {
                "game over"
            } else if stop.is_requested() {
                "stopped"
            } else if Some(steps) == max_steps {
                "as far as --max-steps"
            } else {
                continue;
            };
            let last = Scene::after(self.duet.picture(), score, steps, self.names);
            show.show(&last)?;
            return Ok(Outcome { score, steps, how });
        }
    }

    fn show(
        &mut self,
        show: &mut Show,
        (score, step): (f64, u64),
        look: &Look,
        action: u8,
    ) -> Result<()> {
        let mut picture = self.duet.picture();
        if let Some(saliency) = &mut self.saliency {
            saliency.shade(&mut picture, self.player, self.duet.obs());
        }
        let numbers = if self.has_probabilities {
            look.probabilities()
        } else {
            look.outputs.clone()
        };
        show.show(&Scene {
            picture,
            score,
            step,
            action: Some(usize::from(action)),
            names: self.names,
            numbers: &numbers,
            are_probabilities: self.has_probabilities,
            value: look.value,
            input: Some((self.duet.obs(), self.duet.input_shape())),
        })
    }
}

fn words(
    saved: &SavedAgent,
    request: &PlayRequest,
    rule: Rule,
    outcome: &Outcome,
    video: Option<PathBuf>,
) -> String {
    let plan = &saved.plan;
    let (game, seed) = (request.game_number, request.seed);
    let Outcome { score, steps, how } = outcome;
    let video = video.map_or_else(String::new, |path| format!("\n{}", path.display()));
    format!(
        "{} {}-{} seed {}, step {}, {rule}, game {game} of seed {seed}: score {score} in {} steps, {how}{video}",
        plan.game,
        plan.agent.kind(),
        plan.torso.kind,
        plan.seed,
        grouped(saved.step),
        grouped(*steps),
    )
}
