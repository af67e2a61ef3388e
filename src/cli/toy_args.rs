//! The options of `rlrun toy`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use rlrun_toys::not_so_clevr::Split;
use rlrun_toys::task::{Input, NetKind, RenderLoss, Task};

use crate::config::parse_count;
use crate::plan::Machine;
use crate::request::RequestError;
use crate::toy::{self, CheckRequest, Overrides, RunRequest, SweepRequest};

/// `rlrun toy`.
#[derive(Args, Debug)]
pub(crate) struct ToyArgs {
    /// What is done.
    #[command(subcommand)]
    what: ToyCommand,
}

#[derive(Debug, Subcommand)]
enum ToyCommand {
    /// From a location to its pixel, out of 4096
    Classification(RunArgs),
    /// From the picture of one pixel to its location
    Regression(RunArgs),
    /// From a location to the picture of a square around it
    Rendering(RunArgs),
    /// Train the CoordConv networks of all tasks on both splits, and pass or fail
    Check(CheckArgs),
    /// Train a grid of settings; given again, it goes on where it stopped
    Sweep(SweepArgs),
    /// Go on with a training that was stopped
    Resume(ResumeArgs),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SplitArg {
    /// A random quarter is held back for the test.
    Uniform,
    /// The lower right quadrant is.
    Quadrant,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum NetArg {
    /// Convolutions that see coordinates.
    Coordconv,
    /// Convolutions alone.
    Conv,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum InputArg {
    /// Pixels, 4 to 59, as in the paper.
    Raw,
    /// From -1 to 1, as the coordinate channels.
    Centred,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LossArg {
    /// Cross-entropy of each pixel's sigmoid.
    Sigmoid,
    /// Squared error of each pixel's sigmoid.
    Mse,
}

#[derive(Args, Debug)]
struct RunArgs {
    /// What is held back for the test
    #[arg(long, value_enum, default_value = "uniform")]
    split: SplitArg,
    /// Which network learns
    #[arg(long, value_enum, default_value = "coordconv")]
    net: NetArg,
    /// Of the initial weights and the order of the examples
    #[arg(long, value_name = "SEED", value_parser = parse_count, default_value = "1")]
    seed: u64,
    /// Passes over the training examples [default: configs/toys.toml, as for all that follow]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    epochs: Option<u64>,
    /// Examples of one update
    #[arg(long, value_name = "N", value_parser = parse_count)]
    minibatch: Option<u64>,
    /// Step size of Adam
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    learning_rate: Option<f64>,
    /// Epochs between two cuts of the learning rate to a tenth; 0 keeps it
    #[arg(long, value_name = "N", value_parser = parse_count)]
    decay_every_epochs: Option<u64>,
    /// Weight of the squared kernels in the loss
    #[arg(long, value_name = "WEIGHT", allow_negative_numbers = true)]
    l2: Option<f64>,
    /// Multiplies the network's channels
    #[arg(long, value_name = "M", allow_negative_numbers = true)]
    width: Option<i64>,
    /// Rows and columns of the kernels
    #[arg(long, value_name = "PIXELS", allow_negative_numbers = true)]
    filter: Option<i64>,
    /// How a location goes in
    #[arg(long, value_enum)]
    input: Option<InputArg>,
    /// What a rendering is compared by
    #[arg(long, value_enum)]
    loss: Option<LossArg>,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Args, Debug)]
struct PlaceArgs {
    /// The folder of the runs
    #[arg(long, value_name = "DIR", default_value = "runs/toys")]
    runs: PathBuf,
    #[command(flatten)]
    conduct: ConductArgs,
}

#[derive(Args, Debug)]
struct ConductArgs {
    /// Threads [default: one for each core]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    threads: Option<u64>,
    /// No progress bar
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Args, Debug)]
struct CheckArgs {
    /// Of all trainings
    #[arg(long, value_name = "SEED", value_parser = parse_count, default_value = "1")]
    seed: u64,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Args, Debug)]
struct SweepArgs {
    /// small, paper, or the path of a TOML file as in configs/toys
    #[arg(long, value_name = "GRID")]
    grid: PathBuf,
    /// The sweep's folder [default: runs/toy-sweeps/GRID]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Trainings at a time, one thread each [default: one for each core]
    #[arg(long, value_name = "N", value_parser = parse_count)]
    workers: Option<u64>,
    /// Warnings only
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Args, Debug)]
struct ResumeArgs {
    /// The run folder
    dir: PathBuf,
    #[command(flatten)]
    conduct: ConductArgs,
}

impl ToyArgs {
    /// Does what is asked.
    ///
    /// # Errors
    /// A wrong request, or a training that failed.
    pub(crate) fn run(&self, machine: &Machine) -> anyhow::Result<()> {
        match &self.what {
            ToyCommand::Classification(args) => args.run(Task::Classification, machine),
            ToyCommand::Regression(args) => args.run(Task::Regression, machine),
            ToyCommand::Rendering(args) => args.run(Task::Rendering, machine),
            ToyCommand::Check(args) => toy::check(&CheckRequest {
                runs_root: args.place.runs.clone(),
                seed: args.seed,
                threads: count(args.place.conduct.threads, "--threads", machine)?,
                quiet: args.place.conduct.quiet,
            }),
            ToyCommand::Sweep(args) => toy::sweep(&SweepRequest {
                grid: args.grid.clone(),
                dir: args.dir.clone().unwrap_or_else(|| args.default_dir()),
                workers: count(args.workers, "--workers", machine)?,
                quiet: args.quiet,
            }),
            ToyCommand::Resume(args) => {
                let threads = count(args.conduct.threads, "--threads", machine)?;
                toy::resume(&args.dir, threads, args.conduct.quiet)
            }
        }
    }
}

impl RunArgs {
    fn run(&self, task: Task, machine: &Machine) -> anyhow::Result<()> {
        let split = match self.split {
            SplitArg::Uniform => Split::Uniform,
            SplitArg::Quadrant => Split::Quadrant,
        };
        let net = match self.net {
            NetArg::Coordconv => NetKind::CoordConv,
            NetArg::Conv => NetKind::Conv,
        };
        toy::run(&RunRequest {
            plan: self.overrides().plan(task, split, net, self.seed)?,
            runs_root: self.place.runs.clone(),
            threads: count(self.place.conduct.threads, "--threads", machine)?,
            quiet: self.place.conduct.quiet,
        })
    }

    fn overrides(&self) -> Overrides {
        let minibatch = self
            .minibatch
            .map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        Overrides {
            epochs: self.epochs,
            minibatch,
            learning_rate: self.learning_rate,
            decay_every_epochs: self.decay_every_epochs,
            l2: self.l2,
            width: self.width,
            filter: self.filter,
            input: self.input.map(|input| match input {
                InputArg::Raw => Input::Raw,
                InputArg::Centred => Input::Centred,
            }),
            loss: self.loss.map(|loss| match loss {
                LossArg::Sigmoid => RenderLoss::Sigmoid,
                LossArg::Mse => RenderLoss::Mse,
            }),
        }
    }
}

impl SweepArgs {
    /// Named by the grid, or by the name of its file.
    fn default_dir(&self) -> PathBuf {
        let name = self.grid.file_stem().unwrap_or(self.grid.as_os_str());
        PathBuf::from("runs/toy-sweeps").join(name)
    }
}

/// A number of threads; one for each core if it was not given.
fn count(asked: Option<u64>, option: &str, machine: &Machine) -> Result<usize, RequestError> {
    match asked {
        None => Ok(machine.cores),
        Some(n @ 1..=256) => Ok(usize::try_from(n).expect("at most 256")),
        Some(n) => Err(RequestError::new(format!("{option} {n}: must be 1 to 256"))),
    }
}
