//! The options of `tensorboard`.

use std::path::PathBuf;

use clap::Args;

use crate::tensorboard::TensorboardRequest;

const NAMES: &str = "\
A run is called as its folder: GAME/AGENT-TORSO/seedK. The filter above the list of runs takes regular expressions: \
MsPacman/ is one game, -coordconv/ one torso, seed1$ one seed of a sweep, and MsPacman/.*-(conv|coordconv)/ both torsos \
of a game. The curve to compare is rollout/ep_rew_mean. The HParams tab has a row for each run.

Examples:
  rlrun tensorboard --open
  rlrun tensorboard --runs runs/MsPacman --port 7000
  rlrun tensorboard -- --bind_all --samples_per_plugin scalars=5000";

/// `rlrun tensorboard`.
#[derive(Args, Debug)]
#[command(after_help = NAMES)]
pub(crate) struct TensorboardArgs {
    /// The folder of the runs that are shown, or a part of it
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs: PathBuf,
    /// Where it listens: <http://localhost:PORT/>
    #[arg(long, value_name = "PORT", default_value = "6006", value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Show it in a browser as soon as it answers
    #[arg(long)]
    open: bool,
    /// More arguments for TensorBoard itself
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

impl TensorboardArgs {
    /// What is asked.
    pub(crate) fn request(&self) -> TensorboardRequest<'_> {
        TensorboardRequest {
            runs: &self.runs,
            port: self.port,
            open: self.open,
            arguments: &self.arguments,
        }
    }
}
