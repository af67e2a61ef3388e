//! The options of `eval` and `play` that choose an agent and how it acts, and those of `eval`.

use std::path::PathBuf;

use clap::Args;

use crate::config::parse_count;
use crate::eval::EvalRequest;
use crate::plan::DeviceChoice;
use crate::player::{AskedRule, PolicyKind, Which};

/// Games of an evaluation at most.
pub(super) const MOST_GAMES: u64 = 1_000_000;

const WHO: &str = "Who plays, and how";

/// Options that choose an agent and how it acts.
#[derive(Args, Clone, Debug)]
pub(crate) struct PlayerArgs {
    /// The run folder, as runs/MsPacman/a2c-conv/seed1; the run may still be going on
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// Which checkpoint: newest, best (the first one saved after the best mean of 100 games), or that of a step, as 300k
    #[arg(long, value_name = "WHICH", default_value = "newest", help_heading = WHO)]
    pub(crate) checkpoint: Which,
    /// Take the action that the network rates highest [default for dqn, there with the epsilon below, which this sets to 0]
    #[arg(long, conflicts_with = "stochastic", help_heading = WHO)]
    greedy: bool,
    /// Draw actions with the probabilities of the policy [default for a2c]
    #[arg(long, help_heading = WHO)]
    stochastic: bool,
    /// How often an action is a random one, 0 to 1 [default: 0 for a2c, for dqn as in its plan]
    #[arg(long, value_name = "E", value_parser = parse_epsilon, allow_negative_numbers = true, help_heading = WHO)]
    epsilon: Option<f64>,
    /// Which games are played: the same seed gives the same games and draws, whoever plays
    #[arg(long, value_name = "SEED", default_value = "1", value_parser = parse_count, allow_negative_numbers = true, help_heading = WHO)]
    pub(crate) seed: u64,
    /// Where the network lives: auto, cpu or cuda:N [default: as in the run]
    #[arg(long, value_name = "DEVICE", help_heading = WHO)]
    pub(crate) device: Option<DeviceChoice>,
}

/// `rlrun eval`.
#[derive(Args, Clone, Debug)]
pub(crate) struct EvalArgs {
    /// Who plays.
    #[command(flatten)]
    player: PlayerArgs,
    /// Full games; each is played to its end and counts once
    #[arg(long, value_name = "N", default_value = "100", value_parser = parse_some)]
    games: u64,
    /// Environments side by side; they change the time it takes and no score
    #[arg(long, value_name = "N", default_value = "16", value_parser = parse_some)]
    envs: u64,
    /// Where the CSV and the JSON go [default: RUN/eval]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

impl PlayerArgs {
    /// How actions are to be chosen.
    pub(crate) fn rule(&self) -> AskedRule {
        let policy = match (self.greedy, self.stochastic) {
            (true, _) => Some(PolicyKind::Greedy),
            (false, true) => Some(PolicyKind::Stochastic),
            (false, false) => None,
        };
        AskedRule {
            policy,
            epsilon: self.epsilon,
        }
    }
}

impl EvalArgs {
    /// What they ask for.
    pub(crate) fn request(&self) -> EvalRequest {
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        EvalRequest {
            run: self.player.run.clone(),
            which: self.player.checkpoint,
            n_games: count(self.games),
            n_envs: count(self.envs),
            rule: self.player.rule(),
            seed: self.player.seed,
            device: self.player.device,
            out: self.out.clone(),
            quiet: self.quiet,
        }
    }
}

fn parse_epsilon(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(epsilon) if (0.0..=1.0).contains(&epsilon) => Ok(epsilon),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

/// A count of at least 1 and at most a million.
pub(super) fn parse_some(text: &str) -> Result<u64, String> {
    match parse_count(text)? {
        n @ 1..=MOST_GAMES => Ok(n),
        _ => Err("must be at least 1 and at most a million".to_owned()),
    }
}
