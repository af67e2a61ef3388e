//! The options of `play`.

use std::path::PathBuf;

use clap::Args;

use super::eval_args::{MOST_GAMES, PlayerArgs, parse_some};
use crate::config::parse_count;
use crate::play::{PlayRequest, TerminalUse};

const EXAMPLES: &str = "\
Score and length are those of the game's row in the table of `rlrun eval` with the same checkpoint, seed and rule, on one kind of device. \
So the best and the worst game of an evaluation can be watched: `rlrun eval` names them.

Examples:
  rlrun play runs/MsPacman/a2c-conv/NAME --panel
  rlrun play runs/MsPacman/a2c-conv/NAME --game-number 37 --out best.gif
  rlrun play runs/MsPacman/a2c-conv/NAME --checkpoint best --terminal";

/// `rlrun play`.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(crate) struct PlayArgs {
    /// Who plays.
    #[command(flatten)]
    player: PlayerArgs,
    /// Which game of the seed: its number in the table of `rlrun eval --seed SEED`, which counts from 0
    #[arg(long, value_name = "N", default_value = "0", value_parser = parse_game_number, allow_negative_numbers = true)]
    game_number: usize,
    /// The video, an .mp4 or a .gif [default: an .mp4 in RUN/videos, unless --terminal is given]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Draw the game live in this terminal, which has to know 24-bit colours
    #[arg(long)]
    terminal: bool,
    /// Draw on whatever standard output is
    #[arg(long, hide = true, requires = "terminal")]
    force_terminal: bool,
    /// Show beside the game the policy or the action values, the value of the state, and what the network sees
    #[arg(long)]
    panel: bool,
    /// Shade in blue what the choice of the action depends on, and in red what the value does; takes about a tenth of a second a step
    #[arg(long)]
    saliency: bool,
    /// Pixels of the video for one of the game, along each side, 1 to 8; with --panel at least 2 [default: 3, 2 in a .gif]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=8))]
    scale: Option<u8>,
    /// Stop after so many steps [default: when the game is over]
    #[arg(long, value_name = "N", value_parser = parse_some)]
    max_steps: Option<u64>,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

impl PlayArgs {
    /// What they ask for.
    pub(crate) fn request(&self) -> PlayRequest {
        PlayRequest {
            run: self.player.run.clone(),
            which: self.player.checkpoint,
            rule: self.player.rule(),
            seed: self.player.seed,
            game_number: self.game_number,
            device: self.player.device,
            out: self.out.clone(),
            terminal: match (self.terminal, self.force_terminal) {
                (false, _) => TerminalUse::No,
                (true, false) => TerminalUse::IfThere,
                (true, true) => TerminalUse::Always,
            },
            panel: self.panel,
            saliency: self.saliency,
            scale: self.scale.map(usize::from),
            max_steps: self.max_steps,
            quiet: self.quiet,
        }
    }
}

/// The number of a game that an evaluation can have.
fn parse_game_number(text: &str) -> Result<usize, String> {
    match parse_count(text)? {
        game if game < MOST_GAMES => Ok(usize::try_from(game).expect("below a million")),
        _ => Err("an evaluation has at most a million games, 0 to 999999".to_owned()),
    }
}
