//! The options of `episodes` and `replay`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{ArgGroup, Args, ValueEnum};

use crate::config::parse_count;

const EPISODES_EXAMPLES: &str = "\
The column REPLAY says whether `rlrun replay` can show the game: yes, or why not.
  no-picture       the game has no picture, as CartPole
  no-recorder      the run was trained without the flight recorder, by an earlier version
  not-yet-written  the recorder writes every few thousand steps, and at the end
  not-recorded     a part of what led to the game is lost

Examples:
  rlrun episodes runs/MsPacman/a2c-coordconv/NAME --sort score --limit 10
  rlrun episodes runs/MsPacman/a2c-coordconv/NAME --from 1M --min-score 2000 --csv > good.csv";

const REPLAY_EXAMPLES: &str = "\
A game is played again from the last seeded reset before it, with the recorded seed and actions, and filmed as it comes. \
Score and length must be those of episodes.csv, or no video is written (exit 1).

Examples:
  rlrun replay runs/MsPacman/a2c-coordconv/NAME --episode best --panel
  rlrun replay runs/MsPacman/a2c-coordconv/NAME --episode 4711 --out game.gif --scale 1";

const WHICH: &str = "Which games";
const HOW: &str = "How they are printed";
const FILM: &str = "The video";

/// `rlrun episodes`.
#[derive(Args, Debug)]
#[command(after_help = EPISODES_EXAMPLES)]
pub(crate) struct EpisodesArgs {
    /// The folder of the run; it may still be training
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// Only games with this raw score or a higher one
    #[arg(long, value_name = "SCORE", value_parser = parse_score, allow_negative_numbers = true, help_heading = WHICH)]
    pub(crate) min_score: Option<f64>,
    /// Only games with this raw score or a lower one
    #[arg(long, value_name = "SCORE", value_parser = parse_score, allow_negative_numbers = true, help_heading = WHICH)]
    pub(crate) max_score: Option<f64>,
    /// Only games that ended at this step of the run or later
    #[arg(long, value_name = "STEP", value_parser = parse_count, allow_negative_numbers = true, help_heading = WHICH)]
    pub(crate) from: Option<u64>,
    /// Only games that ended at this step of the run or earlier
    #[arg(long, value_name = "STEP", value_parser = parse_count, allow_negative_numbers = true, help_heading = WHICH)]
    pub(crate) to: Option<u64>,
    /// Only so many of them, after sorting
    #[arg(long, value_name = "N", value_parser = parse_count, allow_negative_numbers = true, help_heading = WHICH)]
    pub(crate) limit: Option<u64>,
    /// What they are sorted by: the highest scores and the longest games come first, the lowest steps and environments
    #[arg(long, value_name = "KEY", value_enum, default_value = "step", help_heading = HOW)]
    pub(crate) sort: SortKey,
    /// Turn the order round; games that are equal by it stay in the order in which they ended
    #[arg(long, help_heading = HOW)]
    pub(crate) reverse: bool,
    /// Print JSON, for programs
    #[arg(long, conflicts_with = "csv", help_heading = HOW)]
    json: bool,
    /// Print the columns of episodes.csv and `replay`
    #[arg(long, help_heading = HOW)]
    csv: bool,
}

/// What games are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortKey {
    /// Raw score, the highest first.
    Score,
    /// Length in steps, the longest first.
    Length,
    /// Step of the run at which they ended, the first first.
    Step,
    /// Number of the environment.
    Env,
}

/// How a list is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A table for a person.
    Table,
    /// For programs.
    Json,
    /// For programs.
    Csv,
}

impl EpisodesArgs {
    /// How the list is printed.
    pub(crate) fn form(&self) -> Form {
        match (self.json, self.csv) {
            (true, _) => Form::Json,
            (false, true) => Form::Csv,
            (false, false) => Form::Table,
        }
    }
}

/// `rlrun replay`.
#[derive(Args, Debug)]
#[command(after_help = REPLAY_EXAMPLES, group(ArgGroup::new("which").required(true)))]
pub(crate) struct ReplayArgs {
    /// The folder of the run; it may still be training
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// Which game: best, worst, last, or its number in `rlrun episodes`
    #[arg(long, value_name = "GAME", group = "which", help_heading = WHICH)]
    episode: Option<Which>,
    /// The first game that ended at this step of the run or later
    #[arg(long, value_name = "STEP", group = "which", value_parser = parse_count, allow_negative_numbers = true, help_heading = WHICH)]
    step: Option<u64>,
    /// The video; .mp4 or .gif [default: GAME-game-N.mp4, here]
    #[arg(long, short, value_name = "FILE", help_heading = FILM)]
    out: Option<PathBuf>,
    /// Show beside the game: score, action, what the network sees, and what the checkpoint nearest to the game thinks of it
    #[arg(long, help_heading = FILM)]
    pub(crate) panel: bool,
    /// Make each pixel of the game a square of so many by so many
    #[arg(long, value_name = "N", default_value = "2", value_parser = parse_scale, allow_negative_numbers = true, help_heading = FILM)]
    pub(crate) scale: usize,
}

/// Which game of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The highest score; of several, the first.
    Best,
    /// The lowest score; of several, the first.
    Worst,
    /// The one that ended last.
    Last,
    /// The one of this number.
    Number(u64),
    /// The first that ended at this step or later.
    AtStep(u64),
}

impl ReplayArgs {
    /// Which game.
    pub(crate) fn which(&self) -> Which {
        match (self.episode, self.step) {
            (Some(which), _) => which,
            (None, Some(step)) => Which::AtStep(step),
            (None, None) => unreachable!("clap asks for one of them"),
        }
    }

    /// Where the video of game number `episode` of `game` goes.
    pub(crate) fn out(&self, game: &str, episode: u64) -> PathBuf {
        let here = || Path::new(&format!("{game}-game-{episode}.mp4")).to_owned();
        self.out.clone().unwrap_or_else(here)
    }
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "best" => Ok(Self::Best),
            "worst" => Ok(Self::Worst),
            "last" => Ok(Self::Last),
            number => parse_count(number)
                .map(Self::Number)
                .map_err(|_| "expected best, worst, last or the number of a game".to_owned()),
        }
    }
}

fn parse_scale(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(scale @ 1..=8) => Ok(scale),
        _ => Err("expected 1 to 8".to_owned()),
    }
}

fn parse_score(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(score) if score.is_finite() => Ok(score),
        _ => Err("expected a number such as 210 or -20.5".to_owned()),
    }
}
