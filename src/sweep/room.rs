//! How many runs this machine has room for at a time: cores, memory, and the disk for all of them.
//!
//! A run of A2C with its two workers keeps two cores as busy as it can (docs/performance.md: two runs at a time on two cores take as
//! many steps together as one after the other). So as many run at a time as have cores of their own, if their memory is there for all.

use std::path::Path;

use super::grid::GridRun;
use crate::config::grouped;
use crate::doctor;
use crate::plan::{DeviceName, Machine, Plan, disk_bytes, memory_bytes};
use crate::request::RequestError;

/// Most runs at a time.
const MOST_JOBS: usize = 256;

/// Cores that a run can keep busy.
pub(super) fn width(plan: &Plan) -> usize {
    match plan.learner.device {
        DeviceName::Cpu => plan.n_workers(),
        DeviceName::Cuda(_) => plan.env.n_groups,
    }
}

/// How many of `runs` go on at a time: as many as are asked for, else as many as there is room for.
///
/// # Errors
/// More than the memory holds, or none at all.
pub(super) fn jobs(
    asked: Option<usize>,
    runs: &[&GridRun],
    machine: &Machine,
) -> Result<usize, RequestError> {
    let fits =
        |jobs: usize| needed_bytes(runs, jobs) <= machine.available_bytes.unwrap_or(u64::MAX);
    let most = runs.len().max(1);
    if let Some(jobs) = asked {
        if !(1..=MOST_JOBS).contains(&jobs) {
            return Err(RequestError::new(format!(
                "--jobs {jobs}: must be 1 to {MOST_JOBS}"
            )));
        }
        let jobs = jobs.min(most);
        return if fits(jobs) {
            Ok(jobs)
        } else {
            Err(too_many(jobs, runs, machine))
        };
    }
    let widest = runs.iter().map(|run| width(&run.plan)).max().unwrap_or(1);
    let on_gpu = runs
        .iter()
        .any(|run| run.plan.learner.device != DeviceName::Cpu);
    let by_cores = if on_gpu {
        1
    } else {
        machine.cores / widest.max(1)
    };
    let jobs = by_cores.clamp(1, most);
    (1..=jobs)
        .rev()
        .find(|&jobs| fits(jobs))
        .ok_or_else(|| too_many(1, runs, machine))
}

/// What the largest of them need together.
fn needed_bytes(runs: &[&GridRun], jobs: usize) -> u64 {
    let needs = runs
        .iter()
        .map(|run| memory_bytes(&run.plan.agent, run.plan.env.n_envs));
    let mut needs: Vec<u64> = needs.collect();
    needs.sort_unstable_by(|a, b| b.cmp(a));
    needs.iter().take(jobs).sum()
}

fn too_many(jobs: usize, runs: &[&GridRun], machine: &Machine) -> RequestError {
    let available = machine.available_bytes.unwrap_or(u64::MAX);
    let fitting = (1..jobs)
        .rev()
        .find(|&jobs| needed_bytes(runs, jobs) <= available);
    let advice = match fitting {
        Some(fitting) => format!("--jobs {fitting} would fit"),
        None => "smaller settings are needed, for DQN --set dqn.replay_capacity=N".to_owned(),
    };
    RequestError::new(format!(
        "{jobs} runs at a time need about {} MB of memory, and {} MB are available; {advice}",
        megabytes(needed_bytes(runs, jobs)),
        megabytes(available)
    ))
}

/// That all runs that are new have room on the disk of `runs_root`, as far as the system says.
///
/// # Errors
/// They have not.
pub(super) fn check_disk(new: &[&GridRun], runs_root: &Path) -> Result<(), RequestError> {
    let needed: u64 = new.iter().map(|run| disk_bytes(&run.plan)).sum();
    match doctor::free_disk_bytes(runs_root) {
        Some(free) if free < needed => Err(RequestError::new(format!(
            "{} new runs need about {} MB in {}, and {} MB are free there; choose another place by --runs, or keep fewer checkpoints \
             by --set run.checkpoints_kept=1",
            new.len(),
            megabytes(needed),
            runs_root.display(),
            megabytes(free)
        ))),
        _ => Ok(()),
    }
}

fn megabytes(bytes: u64) -> String {
    grouped(bytes / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::super::grid::{GridOptions, expand};
    use super::*;

    fn machine(cores: usize, megabytes: u64) -> Machine {
        Machine {
            cores,
            available_bytes: Some(megabytes * 1_000_000),
            cuda_devices: 0,
            multiplies_bf16: true,
        }
    }

    fn runs(agent: &str, n_seeds: u64) -> Vec<GridRun> {
        let options = GridOptions {
            games: Some(vec!["Pong".to_owned()]),
            torsos: Some(vec!["conv".to_owned()]),
            seeds: Some(super::super::seeds::parse_seeds(&format!("1-{n_seeds}")).unwrap()),
            agent: Some(agent.to_owned()),
            ..GridOptions::default()
        };
        expand(&[], &options, &machine(2, 100_000)).unwrap()
    }

    #[test]
    fn as_many_run_at_a_time_as_have_cores_and_memory_of_their_own() {
        let check = |agent: &str, asked: Option<usize>, machine: Machine, expected: usize| {
            let runs = runs(agent, 6);
            let runs: Vec<&GridRun> = runs.iter().collect();
            assert_eq!(jobs(asked, &runs, &machine).unwrap(), expected, "{agent}");
        };
        check("a2c", None, machine(1, 100_000), 1);
        check("a2c", None, machine(2, 100_000), 1);
        check("a2c", None, machine(9, 100_000), 4);
        check("a2c", None, machine(64, 100_000), 6);
        check("a2c", None, machine(64, 1_400), 2);
        check("a2c", Some(2), machine(2, 100_000), 2);
        check("a2c", Some(99), machine(2, 100_000), 6);
        // A replay memory of 100k transitions has 0.8 GB.
        check("dqn", None, machine(64, 4_000), 2);
    }

    #[test]
    fn more_than_the_memory_holds_is_refused_with_what_would_fit() {
        let check = |agent: &str, asked: Option<usize>, megabytes: u64, expected: &str| {
            let runs = runs(agent, 6);
            let runs: Vec<&GridRun> = runs.iter().collect();
            let error = jobs(asked, &runs, &machine(64, megabytes))
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{error}");
        };
        check("dqn", Some(6), 4_000, "--jobs 2 would fit");
        check("dqn", Some(6), 4_000, "6 runs at a time need about");
        check("dqn", None, 300, "dqn.replay_capacity");
        check("a2c", Some(0), 4_000, "--jobs 0: must be 1 to 256");
    }

    #[test]
    fn a_disk_without_room_is_refused() {
        let runs = runs("a2c", 6);
        let many: Vec<&GridRun> = std::iter::repeat_n(&runs, 100_000_000 / 6)
            .flatten()
            .collect();
        let error = check_disk(&many, Path::new("/tmp"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("new runs need about"), "{error}");
        check_disk(&[], Path::new("/tmp")).unwrap();
    }
}
