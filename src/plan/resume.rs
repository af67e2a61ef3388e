//! The plan of a run that goes on: the one in its folder, perhaps longer or on another device.

use std::path::{Path, PathBuf};

use rlrun_agents::a2c::Schedule;
use toml::Value;

use super::resolve;
use super::{AgentPlan, Asked, ConfigFile, DeviceChoice, DeviceName, Machine, Plan};
use crate::config::{grouped, line_of};
use crate::request::RequestError;

/// What `--resume` may change of a plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    /// `--steps`.
    pub(crate) total_steps: Option<u64>,
    /// `--device`.
    pub(crate) device: Option<DeviceChoice>,
    /// `--replay-dir`, where a mapped replay memory is now.
    pub(crate) replay_dir: Option<PathBuf>,
}

/// Reads `plan.toml` of a run folder and lays over it what `--resume` may change.
///
/// A longer training goes through the same updates as one that was planned longer from the start, so long as nothing
/// depends on the planned end; a learning rate that falls to zero there does.
///
/// # Errors
/// No run folder, a damaged plan, fewer steps than planned, more of them with a linear schedule, no such device, or a folder for
/// a replay memory that is not mapped.
pub(crate) fn resume(
    dir: &Path,
    changes: &Changes,
    machine: &Machine,
) -> Result<Plan, RequestError> {
    let mut plan = read(dir, &format!("--resume {}", dir.display()))?;
    check(dir, machine)?;
    if let Some(asked) = changes.total_steps {
        extend(&mut plan, asked)?;
    }
    if let Some(dir) = &changes.replay_dir {
        move_memory(&mut plan, dir)?;
    }
    plan.learner.device = find_device(&plan, changes.device, machine)?;
    Ok(plan)
}

/// Reads `plan.toml` of a run folder for somebody who trains nothing with it, with the network on `device`, or else where the run
/// has it.
///
/// # Errors
/// No run folder, a damaged plan, or no such device.
pub(crate) fn of_run(
    dir: &Path,
    device: Option<DeviceChoice>,
    machine: &Machine,
) -> Result<Plan, RequestError> {
    let mut plan = read(dir, &dir.display().to_string())?;
    // What a training takes of memory is of no matter.
    let machine = Machine {
        available_bytes: None,
        ..machine.clone()
    };
    check(dir, &machine)?;
    plan.learner.device = find_device(&plan, device, &machine)?;
    Ok(plan)
}

/// The device that was asked for, or else the plan's.
fn find_device(
    plan: &Plan,
    device: Option<DeviceChoice>,
    machine: &Machine,
) -> Result<DeviceName, RequestError> {
    let choice = device.unwrap_or(DeviceChoice::Named(plan.learner.device));
    let cited = match device {
        Some(choice) => format!("--device {choice}"),
        None => format!("the plan's device {choice}"),
    };
    resolve::device(choice, &cited, machine).map_err(|error| match device {
        Some(_) => error,
        None => RequestError::new(format!("{error}; --device cpu goes on without it")),
    })
}

/// The plan in `dir`, of which an error speaks as `cited`.
fn read(dir: &Path, cited: &str) -> Result<Plan, RequestError> {
    let path = dir.join("plan.toml");
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let path = path.display();
        RequestError::new(format!("{cited}: no run folder: {path}: {error}"))
    })?;
    toml::from_str(&text).map_err(|error| {
        let line = line_of(&text, error.span().map_or(0, |span| span.start));
        let (path, message) = (path.display(), error.message());
        RequestError::new(format!("{path}:{line}: {message}"))
    })
}

/// Holds the plan to what any configuration file is held to; it may have been edited, or come from another machine.
fn check(dir: &Path, machine: &Machine) -> Result<(), RequestError> {
    let anywhere = (
        "--device",
        "learner.device",
        Value::String("cpu".to_owned()),
    );
    let asked = Asked {
        file: Some(ConfigFile::read(&dir.join("plan.toml"))?),
        flags: vec![anywhere],
        ..Asked::default()
    };
    resolve(&asked, machine).map(drop)
}

/// The memory's file is in another folder now.
fn move_memory(plan: &mut Plan, dir: &Path) -> Result<(), RequestError> {
    match &mut plan.agent {
        AgentPlan::Dqn(_, replay) if replay.is_mapped() => {
            dir.clone_into(&mut replay.dir);
            Ok(())
        }
        _ => Err(RequestError::new(format!(
            "--replay-dir {}: with --resume it says where the replay memory of a run was moved that began with --replay-dir; \
             this one has none outside its folder",
            dir.display()
        ))),
    }
}

fn extend(plan: &mut Plan, asked: u64) -> Result<(), RequestError> {
    let planned = plan.total_steps;
    let refuse = |reason: &str| {
        Err(RequestError::new(format!(
            "--steps {}: {reason}; the plan says {}",
            grouped(asked),
            grouped(planned)
        )))
    };
    if asked < planned {
        return refuse("a run cannot be made shorter by resuming it");
    }
    if asked > planned && depends_on_end(&plan.agent) {
        return refuse("its learning rate falls to zero at the planned end, which cannot be moved");
    }
    if i64::try_from(asked).is_err() {
        return refuse("too large");
    }
    plan.total_steps = asked;
    Ok(())
}

/// Whether some value follows a schedule up to the planned end.
fn depends_on_end(agent: &AgentPlan) -> bool {
    match agent {
        AgentPlan::A2c(a2c) => a2c.learning_rate_schedule == Schedule::Linear,
        AgentPlan::Dqn(..) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::resolve;
    use super::*;

    fn machine() -> Machine {
        Machine {
            cores: 2,
            available_bytes: None,
            cuda_devices: 0,
            multiplies_bf16: false,
        }
    }

    /// A run folder with the plan of these settings.
    fn folder(sets: &[&str]) -> tempfile::TempDir {
        let asked = Asked {
            sets: sets.iter().map(|&set| set.to_owned()).collect(),
            ..Asked::default()
        };
        let plan = resolve(&asked, &machine()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("plan.toml"), plan.to_toml()).unwrap();
        dir
    }

    fn refusal(dir: &Path, total_steps: Option<u64>, device: Option<DeviceChoice>) -> String {
        let changes = Changes {
            total_steps,
            device,
            ..Changes::default()
        };
        resume(dir, &changes, &machine()).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_resumed_is_refused() {
        let empty = tempfile::tempdir().unwrap();
        assert!(refusal(empty.path(), None, None).contains("no run folder"));
        fs::write(empty.path().join("plan.toml"), "agent = \"a2c\"\nx = 1\n").unwrap();
        assert!(refusal(empty.path(), None, None).contains("plan.toml:2: unknown field `x`"));

        let linear = folder(&["game=Pong", "a2c.learning_rate_schedule=linear"]);
        let error = refusal(linear.path(), Some(20_000_000), None);
        assert!(error.contains("falls to zero"), "{error}");
        let error = refusal(linear.path(), Some(9_999_999), None);
        assert!(error.contains("shorter"), "{error}");
        let error = refusal(linear.path(), None, Some("cuda:1".parse().unwrap()));
        assert!(
            error.contains("--device cuda:1 is not there; found cpu (2 cores)"),
            "{error}"
        );
    }

    #[test]
    fn the_plan_of_an_earlier_version_goes_on_as_it_began() {
        let dir = folder(&["game=Pong"]);
        let path = dir.path().join("plan.toml");
        let plan = fs::read_to_string(&path).unwrap();
        for later in ["watchdog_s = 120\n", "precision = \"float32\"\n"] {
            let earlier = plan.replace(later, "");
            assert_ne!(plan, earlier);
            fs::write(&path, earlier).unwrap();
            let resumed = resume(dir.path(), &Changes::default(), &machine()).unwrap();
            assert_eq!(resumed.to_toml(), plan);
        }
    }

    #[test]
    fn a_constant_schedule_may_be_trained_longer() {
        let dir = folder(&["game=Pong", "total_steps=1M"]);
        let changes = |total_steps| Changes {
            total_steps,
            ..Changes::default()
        };
        let plan = |steps| resume(dir.path(), &changes(steps), &machine()).unwrap();
        assert_eq!(plan(None).total_steps, 1_000_000);
        assert_eq!(plan(Some(1_000_000)).total_steps, 1_000_000);
        assert_eq!(plan(Some(2_000_000)).total_steps, 2_000_000);
        let linear = folder(&["game=Pong", "a2c.learning_rate_schedule=linear"]);
        let same = resume(linear.path(), &changes(Some(10_000_000)), &machine()).unwrap();
        assert_eq!(same.total_steps, 10_000_000);
    }
}
