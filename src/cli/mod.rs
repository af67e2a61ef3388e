//! The command line: its words, and what each of them asks for.

mod bench_args;
mod eval_args;
mod output;
mod play_args;
mod playback_args;
mod report_args;
mod sweep_args;
mod tensorboard_args;
mod toy_args;
mod train_args;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub(crate) use bench_args::{
    BenchArgs, BenchCommand, BenchEnvArgs, BenchInferArgs, BenchTrainArgs, BenchUpdateArgs,
    Measuring,
};
pub(crate) use eval_args::EvalArgs;
pub(crate) use output::{complain, in_one_line, print};
pub(crate) use play_args::PlayArgs;
pub(crate) use playback_args::{EpisodesArgs, Form, ReplayArgs, SortKey, Which};
pub(crate) use report_args::ReportArgs;
pub(crate) use sweep_args::SweepArgs;
pub(crate) use tensorboard_args::TensorboardArgs;
pub(crate) use toy_args::ToyArgs;
pub(crate) use train_args::{PlanArgs, TrainAction, TrainArgs};

const EXAMPLES: &str = "\
Units: a frame is one emulator frame, a step is one decision of the agent (4 frames), an update is one step of the \
optimizer. Numbers may be written 20k, 1.5M, 1e6 or 10_000_000.

Exit status: 0 done, 1 the run failed, 2 the request was wrong and nothing was written.

Examples:
  rlrun --game MsPacman --torso coordconv --steps 1M --seed 1
  rlrun --game Pong --preset baselines --set a2c.learning_rate=1e-3 --dry-run
  rlrun --resume runs/MsPacman/a2c-coordconv/NAME
  rlrun sweep --games MsPacman,Breakout --seeds 1-3 --steps 2M
  rlrun tensorboard --open
  rlrun games MsPacman";

/// Trains Atari agents with conv and CoordConv torsos.
#[derive(Debug, Parser)]
#[command(
    name = "rlrun",
    bin_name = "rlrun",
    version,
    about = "Trains Atari agents with conv and CoordConv torsos",
    after_help = EXAMPLES,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    max_term_width = 120
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: TrainArgs,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train an agent; the same as giving its options without `train`
    #[command(after_help = EXAMPLES)]
    Train(Box<TrainArgs>),
    /// Let the agent of a run play full games, and say how well it does
    Eval(Box<EvalArgs>),
    /// Watch the agent of a run play a game: as a video, or live in the terminal
    Play(Box<PlayArgs>),
    /// Train a grid of games, torsos and seeds, a few runs at a time; given again, it goes on
    Sweep(Box<SweepArgs>),
    /// Compare runs in a browser: TensorBoard on the runs folder
    Tensorboard(TensorboardArgs),
    /// Measure the speed of this machine
    Bench(BenchArgs),
    /// Learn the coordinate tasks of the CoordConv paper: a check of minutes, or its experiments
    Toy(Box<ToyArgs>),
    /// List the games of a training, and say which can be replayed
    Episodes(EpisodesArgs),
    /// Film a game of a training again, as it was played
    Replay(ReplayArgs),
    /// Compare runs: one page with learning curves, scores and statistics over seeds and games
    #[command(after_help = report_args::RULES)]
    Report(Box<ReportArgs>),
    /// List the playable games with their actions and lives
    Games(GamesArgs),
    /// Say what was found on this machine, and how to mend what is missing
    Doctor(DoctorArgs),
    /// Print completions for a shell, to be put where it looks for them
    Completions(CompletionsArgs),
}

/// `rlrun games`.
#[derive(Args, Debug)]
pub(crate) struct GamesArgs {
    /// Only this game, with its actions by name
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
}

/// `rlrun doctor`.
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    /// Print JSON, for programs
    #[arg(long)]
    pub(crate) json: bool,
    /// Look whether runs can be written here
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub(crate) runs: PathBuf,
}

/// `rlrun completions`.
#[derive(Args, Debug)]
pub(crate) struct CompletionsArgs {
    /// Which shell
    pub(crate) shell: clap_complete::Shell,
}

impl Cli {
    /// The command that was asked for; without a name it is `train`.
    fn asked_for(self) -> Command {
        self.command
            .unwrap_or_else(|| Command::Train(Box::new(self.train)))
    }
}

/// Reads the command line.
///
/// # Errors
/// clap's error, which may also be the text of `--help`; it knows where it is printed and its exit status.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, clap::Error> {
    let matches = Cli::command().try_get_matches_from(args)?;
    Ok(Cli::from_arg_matches(&matches)?.asked_for())
}

/// Writes the completions of a shell to stdout.
pub(crate) fn completions(args: &CompletionsArgs) {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rlrun", &mut script);
    print(&String::from_utf8_lossy(&script));
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
