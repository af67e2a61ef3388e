//! The options of `episodes`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

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

const WHICH: &str = "Which games";
const HOW: &str = "How they are printed";

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
    /// Turn the order round
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
    /// Number of the environment, and step.
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

fn parse_score(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(score) if score.is_finite() => Ok(score),
        _ => Err("expected a number such as 210 or -20.5".to_owned()),
    }
}
