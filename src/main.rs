//! `rlrun`: trains Atari agents with conv and CoordConv torsos.
//!
//! What was typed becomes a plan (`cli`, `config`, `plan`); the plan becomes a run. Threads live in this package only.

mod bench;
mod cli;
mod config;
mod doctor;
mod eval;
mod games;
mod human;
mod plan;
mod play;
mod playback;
mod player;
mod process;
mod report;
mod request;
mod run;
mod sweep;
mod tensorboard;
mod toy;
mod train;
mod video;

use std::process::ExitCode;

use cli::{Command, TrainAction};
use plan::Machine;
use request::RequestError;

/// The run failed.
const FAILED: u8 = 1;
/// The request was wrong, and nothing was written.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    process::set_up();
    let command = match cli::parse(std::env::args_os()) {
        Ok(command) => command,
        Err(error) => {
            // `--help` and `--version` come this way too, with their own stream and status.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(REFUSED));
        }
    };
    match run(&command) {
        Ok(status) => status,
        Err(error) => {
            cli::complain(&error);
            let refused = RequestError::is_in(&error);
            ExitCode::from(if refused { REFUSED } else { FAILED })
        }
    }
}

fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Train(args) => match args.action(&Machine::detect())? {
            TrainAction::Describe(plan) => cli::print(&plan),
            TrainAction::Train(request) => train::run(&request)?,
        },
        Command::Eval(args) => eval::run(&args.request())?,
        Command::Play(args) => play::run(&args.request())?,
        Command::Sweep(args) => return sweep::run(&args.request(), &Machine::detect()),
        Command::Tensorboard(args) => return tensorboard::run(&args.request()),
        Command::Bench(args) => bench::run(&args.what)?,
        Command::Toy(args) => args.run(&Machine::detect())?,
        Command::Episodes(args) => cli::print(&playback::episodes(args)?),
        Command::Replay(args) => cli::print(&playback::replay(args)?),
        Command::Report(args) => cli::print(&report::report(&args.request()?)?),
        Command::Games(args) => cli::print(&games::table(args.name.as_deref())?),
        Command::Doctor(args) => {
            let (report, is_well) = doctor::examine(&args.runs, args.json);
            cli::print(&report);
            return Ok(if is_well {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(FAILED)
            });
        }
        Command::Completions(args) => cli::completions(args),
    }
    Ok(ExitCode::SUCCESS)
}
