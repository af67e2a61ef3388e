//! The options of `sweep`.

use std::path::PathBuf;

use clap::Args;

use crate::config::parse_count;
use crate::sweep::{GridOptions, Seeds, SweepRequest, parse_seeds};

const GRID: &str = "The grid, over what the files say";
const HOW: &str = "How it is worked off";

const NOTES: &str = "\
Each run is a process with the folder DIR/GAME/AGENT-TORSO/[TAG-]seedK; its output goes to DIR/.sweep. Given again, a sweep passes over \
what is finished and goes on with what was begun, also by scripts/sweep.sh; a folder whose plan is another one is refused before \
anything starts. A run that fails is reported and the rest go on. Ctrl-C stops all of it, and each run saves a checkpoint; a second one \
kills them.

A run has two workers unless learner.threads says otherwise, whatever the machine and --jobs: its numbers depend on neither. So \
a machine with more cores has more runs at a time, each on cores of its own; more of them than there are cores for share all cores, and \
are together no faster.

The keys of a sweep file are explained in configs/sweeps/small.toml.

Exit status: 0 all are finished, 1 a run failed, 2 the request was wrong and nothing was started, 130 or 143 stopped by a signal.

Examples:
  rlrun sweep small --dry-run
  rlrun sweep --games MsPacman,Seaquest --torsos conv,coordconv --seeds 1-5 --steps 2M
  rlrun sweep configs/sweeps/*.toml --runs /data/runs --jobs 4
  rlrun sweep --games Pong --agent dqn --set dqn.double=true --tag double";

/// `rlrun sweep`.
#[derive(Args, Debug)]
#[command(after_help = NOTES)]
pub(crate) struct SweepArgs {
    /// Sweeps: small, coordconv-9-games (the Atari experiment of the CoordConv paper), or the paths of TOML files
    #[arg(value_name = "SWEEP")]
    files: Vec<PathBuf>,

    /// Games, as --game of train takes them
    #[arg(long, value_name = "NAME,...", value_delimiter = ',', help_heading = GRID)]
    games: Option<Vec<String>>,
    /// Torsos [default: conv,coordconv; for CartPole and MountainCar mlp]
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', value_parser = ["conv", "coordconv", "mlp"], help_heading = GRID)]
    torsos: Option<Vec<String>>,
    /// Seeds: 1-5, or 1,3,7-9 [default: 1]
    #[arg(long, value_name = "SEEDS", value_parser = parse_seeds, allow_hyphen_values = true, help_heading = GRID)]
    seeds: Option<Seeds>,
    /// The algorithm that learns [default: a2c]
    #[arg(long, value_parser = ["a2c", "dqn"], help_heading = GRID)]
    agent: Option<String>,
    /// Named hyper-parameters, as --preset of train takes them
    #[arg(long, value_name = "NAME", help_heading = GRID)]
    preset: Option<String>,
    /// Length of each run in agent steps [default: 10M]
    #[arg(long, value_name = "STEPS", value_parser = parse_count, allow_negative_numbers = true, help_heading = GRID)]
    steps: Option<u64>,
    /// Set one key of all runs, for example a2c.learning_rate=1e-3 or protocol=machado; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", help_heading = GRID)]
    sets: Vec<String>,
    /// In front of the name of each run's folder, to keep runs with other settings apart
    #[arg(long, value_name = "NAME", help_heading = GRID)]
    tag: Option<String>,

    /// Runs at a time [default: as many as have cores and memory of their own; on a GPU 1]
    #[arg(long, short, value_name = "N", value_parser = parse_count, allow_negative_numbers = true, help_heading = HOW)]
    jobs: Option<u64>,
    /// The folder of all runs [default: runs]
    #[arg(long, value_name = "DIR", help_heading = HOW)]
    runs: Option<PathBuf>,
    /// Say what would happen to each run, and do nothing
    #[arg(long, help_heading = HOW)]
    dry_run: bool,
    /// Warnings and the table at the end only
    #[arg(long, short, help_heading = HOW)]
    quiet: bool,
}

impl SweepArgs {
    /// What is asked.
    pub(crate) fn request(&self) -> SweepRequest {
        SweepRequest {
            files: self.files.clone(),
            options: GridOptions {
                games: self.games.clone(),
                torsos: self.torsos.clone(),
                seeds: self.seeds.clone(),
                agent: self.agent.clone(),
                preset: self.preset.clone(),
                steps: self.steps,
                sets: self.sets.clone(),
                tag: self.tag.clone(),
            },
            jobs: self
                .jobs
                .map(|jobs| usize::try_from(jobs).unwrap_or(usize::MAX)),
            runs: self.runs.clone(),
            is_dry: self.dry_run,
            quiet: self.quiet,
        }
    }
}
