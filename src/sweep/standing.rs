//! How a run of the grid stands, as its folder tells: the folders are the only memory of a sweep.

use std::fs;
use std::path::Path;

use super::grid::GridRun;
use crate::config::grouped;
use crate::plan::{DeviceName, Machine, Plan, resolve};
use crate::run::checkpoint_store::newest_step;
use crate::run::lock::RunLock;

/// How a run stands before it is started.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Standing {
    /// There is nothing of it.
    New,
    /// It was stopped before its first checkpoint; what there is of it is put aside.
    Anew,
    /// It goes on from the checkpoint of this step.
    Resumed(u64),
    /// It has reached its end, with this mean score of its last 100 games.
    Finished(Option<f64>),
    /// It is not to be touched, for this reason.
    Refused(String),
}

impl Standing {
    /// Looks at the folder of `run` below `runs_root`. Nothing is written.
    pub(super) fn of(run: &GridRun, runs_root: &Path) -> Self {
        let dir = runs_root.join(run.path());
        if !dir.exists() {
            return Self::New;
        }
        if let Some(pid) = RunLock::holder(&dir) {
            return Self::Refused(format!(
                "in use by the process {pid}; wait for it, or stop it: kill {pid}"
            ));
        }
        if let Some(reason) = other_plan(run, &dir) {
            return Self::Refused(reason);
        }
        if let Ok(summary) = fs::read(dir.join("summary.json")) {
            return Self::Finished(mean_score(&summary));
        }
        match newest_step(&dir.join("checkpoints")) {
            Some(step) => Self::Resumed(step),
            None => Self::Anew,
        }
    }

    /// What happens to it, in words.
    pub(super) fn in_words(&self) -> String {
        match self {
            Self::New => "starts".to_owned(),
            Self::Anew => {
                "starts anew: it has no checkpoint, and its folder is put aside".to_owned()
            }
            Self::Resumed(step) => format!("goes on from step {}", grouped(*step)),
            Self::Finished(None) => "is finished".to_owned(),
            Self::Finished(Some(mean)) => format!("is finished: {mean:.1}"),
            Self::Refused(reason) => format!("REFUSED: {reason}"),
        }
    }
}

/// The mean score of the last 100 games in a summary.
pub(super) fn mean_score(summary: &[u8]) -> Option<f64> {
    let summary: serde_json::Value = serde_json::from_slice(summary).ok()?;
    summary["mean_score_last_100"].as_f64()
}

/// Why the folder is not of this run, if it is not.
fn other_plan(run: &GridRun, dir: &Path) -> Option<String> {
    let found = match read_plan(&dir.join("plan.toml")) {
        Ok(found) => found,
        Err(reason) => return Some(format!("{reason}; move the folder away")),
    };
    // What is left to the machine was settled by the machine where the run began.
    let there = Machine {
        cores: found.learner.threads,
        available_bytes: None,
        cuda_devices: match found.learner.device {
            DeviceName::Cpu => 0,
            DeviceName::Cuda(index) => index + 1,
        },
        multiplies_bf16: true,
    };
    let plan = resolve(&run.asked, &there).unwrap_or_else(|_| run.plan.clone());
    let differences = found.differences(&plan, ["its folder", "this sweep"]);
    (!differences.is_empty()).then(|| {
        format!(
            "{}; keep them apart with --tag NAME or other --runs",
            differences.join(", ")
        )
    })
}

fn read_plan(path: &Path) -> Result<Plan, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error: toml::de::Error| {
        let reason = error
            .message()
            .lines()
            .next()
            .unwrap_or("damaged")
            .to_owned();
        format!("{}: {reason}", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::super::grid::{GridOptions, expand};
    use super::*;

    const MACHINE: Machine = Machine {
        cores: 2,
        available_bytes: None,
        cuda_devices: 0,
        multiplies_bf16: true,
    };

    fn run(steps: u64) -> GridRun {
        let options = GridOptions {
            games: Some(vec!["Pong".to_owned()]),
            torsos: Some(vec!["conv".to_owned()]),
            steps: Some(steps),
            ..GridOptions::default()
        };
        expand(&[], &options, &MACHINE).unwrap().remove(0)
    }

    /// A folder of runs with that of `run(1_000)`, whose plan was changed.
    fn begun(change: impl Fn(String) -> String) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("Pong/a2c-conv/seed1");
        fs::create_dir_all(dir.join("checkpoints")).unwrap();
        fs::write(dir.join("plan.toml"), change(run(1_000).plan.to_toml())).unwrap();
        root
    }

    #[test]
    fn a_folder_tells_how_its_run_stands() {
        let root = begun(|plan| plan);
        let dir = root.path().join("Pong/a2c-conv/seed1");
        let standing = || Standing::of(&run(1_000), root.path());
        assert_eq!(standing(), Standing::Anew);
        for step in [80, 160] {
            let name = format!("checkpoints/step-{step:012}.safetensors");
            fs::write(dir.join(name), "").unwrap();
        }
        assert_eq!(standing(), Standing::Resumed(160));
        let summary = "{ \"mean_score_last_100\": -20.5 }";
        fs::write(dir.join("summary.json"), summary).unwrap();
        assert_eq!(standing(), Standing::Finished(Some(-20.5)));
        assert_eq!(
            Standing::of(&run(1_000), Path::new("/nonexistent")),
            Standing::New
        );
        let held = RunLock::acquire(&dir).unwrap();
        let refused = format!("{:?}", standing());
        assert!(
            refused.contains(&std::process::id().to_string()),
            "{refused}"
        );
        drop(held);
        assert_eq!(standing(), Standing::Finished(Some(-20.5)));
    }

    #[test]
    fn a_run_of_another_machine_is_the_same_run() {
        let root = begun(|plan| {
            plan.replace("\nthreads = 2", "\nthreads = 1")
                .replace("env_threads = 1", "env_threads = 8")
                .replace("own_cores = true", "own_cores = false")
        });
        assert_eq!(Standing::of(&run(1_000), root.path()), Standing::Anew);
    }

    #[test]
    fn another_plan_is_refused_with_both_values() {
        let refused = |standing: Standing| match standing {
            Standing::Refused(reason) => reason,
            other => panic!("{other:?}"),
        };
        let root = begun(|plan| plan);
        let reason = refused(Standing::of(&run(2_000), root.path()));
        let expected =
            "total_steps = 1000 in its folder and 2000 in this sweep; keep them apart with --tag";
        assert!(reason.contains(expected), "{reason}");
        let root = begun(|plan| plan.replace("discount = 0.99\n", ""));
        let reason = refused(Standing::of(&run(1_000), root.path()));
        assert!(reason.contains("missing field `discount`"), "{reason}");
    }
}
