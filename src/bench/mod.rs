//! `rlrun bench`: how fast this machine is, and where the time goes.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`mod@env`] | `bench env`: environments alone, with random actions |
//! | [`infer`] | `bench infer`: forward passes of an agent's network |
//! | [`update`] | `bench update`: one update as the plan describes it |
//! | [`train`] | `bench train`: a training without a folder, against the clock |
//! | [`limit`] | what the machine could do at most |
//! | [`threads`] | which thread had a core, and which had nothing to do |
//! | [`agent`] | the agent of a plan, whichever it is |
//! | [`clock`] | repeats and their median |
//! | [`cores`] | how much of the machine's cores this process had |
//! | [`report`] | what all of them print, and the JSON file |
//! | [`table`] | one printer of tables |

mod agent;
mod clock;
mod cores;
mod env;
mod infer;
mod limit;
mod report;
mod table;
mod threads;
mod train;
mod update;

use anyhow::Result;

use crate::cli::BenchCommand;

/// The game whose sizes count where none is named.
const GAME: &str = "MsPacman";

/// Measures what was asked for, and prints it.
///
/// # Errors
/// If the request is wrong, something to be measured fails, or the JSON file cannot be written.
pub(crate) fn run(what: &BenchCommand) -> Result<()> {
    match what {
        BenchCommand::Env(args) => env::run(args),
        BenchCommand::Infer(args) => infer::run(args),
        BenchCommand::Update(args) => update::run(args),
        BenchCommand::Train(args) => train::run(args),
    }
}
