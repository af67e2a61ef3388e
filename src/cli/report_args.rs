//! The options of `rlrun report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::parse_count;
use crate::report::{Format, Import, REPEATS, ReportRequest};
use crate::request::RequestError;

pub(super) const RULES: &str = "\
Which runs count: every finished run below DIR, and every import. Runs of one protocol are compared with each other, \
game by game, at the steps of the shortest one that counts (or at --steps); nothing is compared across protocols. An \
import shorter than that is drawn only. Runs of the same agent and torso share a curve unless settings that decide the \
scores differ. Of two runs with the same seed and settings the longer one counts. Empty, damaged and unfinished runs \
never spoil a report: it names them.

What the numbers are: a final score is the mean raw score of the last 100 training games (of fewer, if there were \
fewer); the area under the curve is the mean over agent steps of that mean. Bands and intervals over seeds are 95% \
intervals by Student's t; one seed has none. Human-normalised is (score - random) / (human - random). Statistics over \
games (interquartile mean, median, mean, optimality gap, probability of improvement, performance profiles) are those \
of rliable, with 95% stratified bootstrap intervals.

Better, similar, worse: better if the 95% interval (Welch) of the difference of the mean final scores is above 0, worse if it is below, \
similar if it holds 0; not decided with fewer than 3 seeds on a side.

Imports: NAME=PATH[,game=GAME][,seed=N][,protocol=baselines|machado|gym]. PATH is an event file, or a folder with \
event files at any depth; charts/episodic_return (CleanRL) or rollout/ep_rew_mean (SB3) is read. Game, seed and \
protocol are taken from the names of folders where they are not given. A file that was cut off is used up to the cut.

Exit status: 0 done, 1 the report could not be written, 2 the request was wrong and nothing was written.

Examples:
  rlrun report runs
  rlrun report runs/MsPacman --format png --out report-pacman
  rlrun report runs --import 'cleanrl dqn=BreakoutNoFrameskip-v4__dqn_atari__1__1700000000' --import sb3=logs/a2c";

/// `rlrun report`.
#[derive(Args, Debug)]
pub(crate) struct ReportArgs {
    /// Folders of runs: runs, runs/MsPacman, or single runs
    #[arg(value_name = "DIR", required_unless_present = "import")]
    dirs: Vec<PathBuf>,
    /// Runs of other programs from their TensorBoard files; see below
    #[arg(long, value_name = "NAME=PATH")]
    import: Vec<String>,
    /// Where the page is written [default: report in the first DIR]
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write each figure as a file too, into figures beside the page
    #[arg(long, value_name = "FORMAT,...", value_enum, value_delimiter = ',')]
    format: Vec<FormatArg>,
    /// Count runs that are running or were stopped, too, as far as they came
    #[arg(long)]
    unfinished: bool,
    /// Compare at these agent steps; shorter runs do not count [default: the steps of the shortest run of a game]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    steps: Option<u64>,
    /// Resamples of each bootstrap
    #[arg(long, value_name = "N", value_parser = parse_count, default_value_t = REPEATS as u64)]
    repeats: u64,
    /// Of the bootstrap's random draws
    #[arg(long, value_name = "SEED", value_parser = parse_count, default_value = "1")]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// Lines and text, for papers.
    Svg,
    /// Pixels.
    Png,
}

impl ReportArgs {
    /// The report that is asked for.
    ///
    /// # Errors
    /// What is wrong with the options.
    pub(crate) fn request(&self) -> Result<ReportRequest, RequestError> {
        if !(100..=1_000_000).contains(&self.repeats) {
            let repeats = self.repeats;
            return Err(RequestError::new(format!(
                "--repeats {repeats}: must be 100 to 1M"
            )));
        }
        if self.steps == Some(0) {
            return Err(RequestError::new("--steps 0: must be at least 1"));
        }
        let mut formats: Vec<Format> = Vec::new();
        for format in &self.format {
            let format = match format {
                FormatArg::Svg => Format::Svg,
                FormatArg::Png => Format::Png,
            };
            if !formats.contains(&format) {
                formats.push(format);
            }
        }
        Ok(ReportRequest {
            dirs: self.dirs.clone(),
            imports: self
                .import
                .iter()
                .map(|text| Import::parse(text))
                .collect::<Result<_, _>>()?,
            out: self.out.clone(),
            formats,
            with_unfinished: self.unfinished,
            steps: self.steps,
            repeats: usize::try_from(self.repeats).expect("at most a million"),
            seed: self.seed,
        })
    }
}
