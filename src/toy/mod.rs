//! The paper's coordinate tasks: single trainings, the check of all of them, and grids.
//!
//! ```text
//! settings   configs/toys.toml <- options           -> ToyPlan
//! folders    the run folders of trainings
//! session    one training with its run folder: epochs.csv, TensorBoard, checkpoints, pictures, summary.json
//! check      the CoordConv side of every task and split, against thresholds
//! grid       a grid file -> many plans
//! sweep      many sessions on a few threads, and results.csv over them
//! ```

mod check;
mod folders;
mod gallery;
mod grid;
mod history;
mod results;
mod session;
mod settings;
mod sweep;
mod test_examples;
mod verdict;

pub(crate) use check::{CheckRequest, check};
pub(crate) use session::{RunRequest, resume, run};
pub(crate) use settings::Overrides;
pub(crate) use sweep::{SweepRequest, sweep};
