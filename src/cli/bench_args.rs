//! The options of `bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::PlanArgs;
use crate::config::parse_count;

const MEASURING: &str = "Measuring";

/// `rlrun bench`.
#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// What is measured.
    #[command(subcommand)]
    pub(crate) what: BenchCommand,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Steps a second of the environments alone, with random actions
    Env(Box<BenchEnvArgs>),
    /// Forward passes a second of an agent's network (without --game for MsPacman), on one thread and on all
    Infer(Box<BenchInferArgs>),
    /// Milliseconds of one update, as the plan describes it (without --game for MsPacman)
    Update(Box<BenchUpdateArgs>),
    /// Train for a while without writing anything, and report steps per second, what the machine could do at most, memory
    /// and where the time went
    Train(Box<BenchTrainArgs>),
}

/// How something is measured, and where the numbers go.
#[derive(Args, Clone, Debug)]
pub(crate) struct Measuring {
    /// Wall seconds of each repeat [default: 20 for train, else 2]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds, allow_negative_numbers = true, help_heading = MEASURING)]
    pub(crate) seconds: Option<f64>,
    /// How often everything is measured; the median counts
    #[arg(
        long, value_name = "N", default_value = "3", value_parser = parse_repeats,
        allow_negative_numbers = true, help_heading = MEASURING
    )]
    pub(crate) repeats: u64,
    /// Write the numbers to a JSON file too
    #[arg(long, value_name = "FILE", help_heading = MEASURING)]
    pub(crate) json: Option<PathBuf>,
}

/// `rlrun bench env`.
#[derive(Args, Debug)]
pub(crate) struct BenchEnvArgs {
    /// Games, one or several: MsPacman,Pong
    #[arg(
        long,
        short,
        value_name = "NAME,...",
        value_delimiter = ',',
        required = true
    )]
    pub(crate) game: Vec<String>,
    /// How the games are presented: baselines, machado or gym [default: as in train]
    #[arg(long, value_name = "NAME", value_parser = ["baselines", "machado", "gym"])]
    pub(crate) protocol: Option<String>,
    /// Environments stepped together
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "16", value_parser = parse_count)]
    pub(crate) envs: Vec<u64>,
    /// Actor threads, each with an equal share of the environments; a number that does not divide them is left out
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "1", value_parser = parse_count)]
    pub(crate) actors: Vec<u64>,
    /// Emulator threads of each actor; more than it has environments are left out [default: cores / actors]
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = parse_count)]
    pub(crate) env_threads: Vec<u64>,
    #[command(flatten)]
    pub(crate) measuring: Measuring,
}

/// `rlrun bench infer`.
#[derive(Args, Debug)]
pub(crate) struct BenchInferArgs {
    /// Whose network it is.
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    /// Observations of each forward pass
    #[arg(
        long, value_name = "N,...", value_delimiter = ',', default_value = "1,8,16",
        value_parser = parse_count, help_heading = MEASURING
    )]
    pub(crate) batch: Vec<u64>,
    #[command(flatten)]
    pub(crate) measuring: Measuring,
}

/// `rlrun bench update`.
#[derive(Args, Debug)]
pub(crate) struct BenchUpdateArgs {
    /// Whose update it is.
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    #[command(flatten)]
    pub(crate) measuring: Measuring,
}

/// `rlrun bench train`.
#[derive(Args, Debug)]
pub(crate) struct BenchTrainArgs {
    /// What is trained.
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    /// Agent steps before the clock starts
    #[arg(long, value_name = "STEPS", default_value = "2k", value_parser = parse_count, help_heading = MEASURING)]
    pub(crate) warmup: u64,
    /// Do everything on one thread
    #[arg(long, help_heading = MEASURING)]
    pub(crate) serial: bool,
    #[command(flatten)]
    pub(crate) measuring: Measuring,
}

/// Seconds, perhaps with a fraction.
fn parse_seconds(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 1e6 => Ok(seconds),
        Ok(_) => Err("must be above 0 and at most a million".to_owned()),
        Err(_) => Err("expected seconds such as 20 or 0.5".to_owned()),
    }
}

fn parse_repeats(text: &str) -> Result<u64, String> {
    match parse_count(text)? {
        0 => Err("must be at least 1".to_owned()),
        repeats => Ok(repeats),
    }
}
