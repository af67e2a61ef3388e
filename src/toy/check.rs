//! `rlrun toy check`: the `CoordConv` side of every task and split, against thresholds.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use rlrun_toys::not_so_clevr::Split;
use rlrun_toys::task::{NetKind, Task};

use super::folders::create_folder;
use super::session::{Conduct, Goal, train};
use super::settings::Overrides;
use super::verdict::ToySummary;
use crate::cli;
use crate::run::screen::Verbosity;
use crate::run::stop::StopFlag;

/// What `rlrun toy check` is asked.
#[derive(Debug)]
pub(crate) struct CheckRequest {
    /// The folder of all runs.
    pub(crate) runs_root: PathBuf,
    /// Of all trainings.
    pub(crate) seed: u64,
    /// Threads of each training.
    pub(crate) threads: usize,
    /// Without progress bars.
    pub(crate) quiet: bool,
}

/// What passes, and in words. The paper's networks fit both parts perfectly; the thresholds are ours.
fn threshold(task: Task) -> (Goal, &'static str) {
    match task {
        Task::Classification => (
            |train, test| train >= 1.0 && test >= 1.0,
            "100% of train and test",
        ),
        Task::Regression => (|_, test| test < 0.5, "a mean test distance below 0.5 px"),
        Task::Rendering => (|_, test| test >= 0.95, "a test IOU of 0.95"),
    }
}

/// Trains every task on both splits until it passes or its epochs are over, and says which did.
///
/// # Errors
/// If one did not pass or could not be trained, or the check was stopped.
pub(crate) fn check(request: &CheckRequest) -> Result<()> {
    let verbosity = if request.quiet {
        Verbosity::Quiet
    } else {
        Verbosity::Normal
    };
    let stop = StopFlag::on_signals().context("taking over Ctrl-C")?;
    let mut n_failed = 0;
    for task in Task::ALL {
        for split in [Split::Uniform, Split::Quadrant] {
            let (goal, goal_text) = threshold(task);
            let plan = Overrides::default().plan(task, split, NetKind::CoordConv, request.seed)?;
            let conduct = Conduct {
                threads: request.threads,
                verbosity,
                stop_early: Some(goal),
                stop: stop.clone(),
            };
            let folder = create_folder(&plan, &request.runs_root, None)?;
            let Some(summary) = train(folder, &plan, &conduct)? else {
                bail!("stopped; the check is not complete");
            };
            let passed = goal(summary.train_metric, summary.test_metric);
            n_failed += usize::from(!passed);
            cli::print(&line(passed, goal_text, &summary));
        }
    }
    if n_failed > 0 {
        bail!("{n_failed} of 6 trainings did not pass");
    }
    cli::print("all 6 passed");
    Ok(())
}

fn line(passed: bool, goal: &str, summary: &ToySummary) -> String {
    let mut line = if passed { "PASS " } else { "FAIL " }.to_owned();
    line.push_str(&summary.verdict());
    if !passed {
        let _ = write!(line, " | asked for {goal}");
    }
    line
}
