//! TensorBoard's own reader sees what was logged: one curve, also after a kill and a resume.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::*;
use crate::run::event_records::Records;

/// Reads a run with `EventAccumulator` as it is by default, but for its sampling. Prints JSON.
///
/// With the argument `watch` it reads twice, and waits for a line before the second time, as a TensorBoard that looks on.
const READ_RUN: &str = r#"
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
run = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "tensors": 0})
run.Reload()
if "watch" in sys.argv:
    print("read once", flush=True)
    sys.stdin.readline()
    run.Reload()
tags = run.Tags()
print(json.dumps({
    "scalars": {tag: [[e.step, e.value] for e in run.Scalars(tag)] for tag in tags["scalars"]},
    "texts": {tag: [e.tensor_proto.string_val[0].decode() for e in run.Tensors(tag)] for tag in tags["tensors"]},
    "times": [e.wall_time for tag in tags["scalars"] for e in run.Scalars(tag)],
}))
"#;

/// The reader, about to read `dir`; nothing when there is no TensorBoard here.
fn tensorboard(dir: &Path) -> Option<Command> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    if !python.exists() {
        eprintln!(
            "SKIPPED: {} does not exist; ./rlrun doctor says how to make it",
            python.display()
        );
        return None;
    }
    let mut command = Command::new(python);
    command.args(["-c", READ_RUN]).arg(dir);
    Some(command)
}

/// The run in `dir` through the eyes of TensorBoard.
fn read_with_tensorboard(dir: &Path) -> Option<Value> {
    let output = tensorboard(dir)?.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert!(
        !errors.contains("runcated") && !errors.contains("DataLoss"),
        "{errors}"
    );
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn log_steps(scalars: &mut Scalars, steps: impl IntoIterator<Item = u64>, value: f64) {
    for step in steps {
        scalars.add_scalar("rollout/ep_rew_mean", value, step);
    }
    scalars.flush(&Screen::quiet());
}

fn only_event_file(dir: &Path) -> PathBuf {
    let paths: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(paths.len(), 1);
    paths[0].clone()
}

#[test]
fn tensorboard_reads_scalars_and_text() {
    let dir = tempfile::tempdir().unwrap();
    let mut scalars = Scalars::create(dir.path());
    scalars.add_text("plan", "`seed = 1`", 0);
    scalars.add_scalar("train/policy_loss", -0.25, 300);
    scalars.add_scalar("train/policy_loss", f64::NAN, 301);
    scalars.add_scalar("train/policy_loss", 1e300, 302);
    scalars.add_scalar("", 1.0, 303);
    scalars.add_scalar("train/policy_loss", 0.5, 5_000_000_000);
    scalars.flush(&Screen::quiet());

    let Some(run) = read_with_tensorboard(dir.path()) else {
        return;
    };
    assert_eq!(
        run["scalars"],
        json!({ "train/policy_loss": [[300, -0.25], [5_000_000_000_u64, 0.5]] })
    );
    assert_eq!(run["texts"], json!({ "plan": ["`seed = 1`"] }));
    let time = run["times"][0].as_f64().unwrap();
    assert!((since_1970().as_secs_f64() - time).abs() < 600.0, "{time}");
}

#[test]
fn after_kills_and_resumes_tensorboard_shows_one_continuous_curve() {
    let dir = tempfile::tempdir().unwrap();
    // Killed at step 50, in the middle of a record; the last checkpoint is of step 30.
    log_steps(&mut Scalars::create(dir.path()), (0..=50).step_by(10), 1.0);
    let first = only_event_file(dir.path());
    let contents = fs::read(&first).unwrap();
    fs::write(&first, &contents[..contents.len() - 7]).unwrap();
    // Killed again at step 60, without a newer checkpoint; then at 70 with one of step 60.
    log_steps(
        &mut Scalars::resume(dir.path(), 30, None).unwrap(),
        (40..=60).step_by(10),
        2.0,
    );
    log_steps(
        &mut Scalars::resume(dir.path(), 30, None).unwrap(),
        (40..=70).step_by(10),
        3.0,
    );
    log_steps(
        &mut Scalars::resume(dir.path(), 60, None).unwrap(),
        (70..=80).step_by(10),
        4.0,
    );

    let Some(run) = read_with_tensorboard(dir.path()) else {
        return;
    };
    let curve = json!([
        [0, 1.0],
        [10, 1.0],
        [20, 1.0],
        [30, 1.0],
        [40, 3.0],
        [50, 3.0],
        [60, 3.0],
        [70, 4.0],
        [80, 4.0]
    ]);
    assert_eq!(run["scalars"]["rollout/ep_rew_mean"], curve);
}

#[test]
fn a_resume_at_the_very_last_step_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    log_steps(&mut Scalars::create(dir.path()), [10, 20], 1.0);
    let before = fs::read(only_event_file(dir.path())).unwrap();
    let first = only_event_file(dir.path());
    log_steps(
        &mut Scalars::resume(dir.path(), 20, None).unwrap(),
        [30],
        2.0,
    );
    assert_eq!(fs::read(first).unwrap(), before);
    let Some(run) = read_with_tensorboard(dir.path()) else {
        return;
    };
    assert_eq!(
        run["scalars"]["rollout/ep_rew_mean"],
        json!([[10, 1.0], [20, 1.0], [30, 2.0]])
    );
}

#[test]
fn a_tensorboard_that_looks_on_shows_one_continuous_curve_too() {
    let dir = tempfile::tempdir().unwrap();
    log_steps(&mut Scalars::create(dir.path()), (0..=50).step_by(10), 1.0);
    let Some(mut command) = tensorboard(dir.path()) else {
        return;
    };
    let mut reader = command
        .arg("watch")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "read once");

    log_steps(
        &mut Scalars::resume(dir.path(), 30, None).unwrap(),
        [40, 45],
        2.0,
    );
    writeln!(reader.stdin.take().unwrap(), "read again").unwrap();
    let run: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert!(reader.wait().unwrap().success());
    let curve = json!([
        [0, 1.0],
        [10, 1.0],
        [20, 1.0],
        [30, 1.0],
        [40, 2.0],
        [45, 2.0]
    ]);
    assert_eq!(run["scalars"]["rollout/ep_rew_mean"], curve);
}

#[test]
fn evaluations_that_are_played_anew_are_cut_back_further() {
    let dir = tempfile::tempdir().unwrap();
    let mut scalars = Scalars::create(dir.path());
    for step in [10, 20, 30] {
        scalars.add_scalar("eval/mean_reward", 1.0, step);
        scalars.add_scalar("train/loss", 1.0, step);
    }
    scalars.flush(&Screen::quiet());
    drop(Scalars::resume(dir.path(), 25, Some(("eval/", 19))).unwrap());
    let mut found = Vec::new();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let contents = fs::read(entry.unwrap().path()).unwrap();
        for (_, event) in Records::new(&contents) {
            for value in event.get_summary().get_value() {
                found.push((value.get_tag().to_owned(), event.step));
            }
        }
    }
    found.sort();
    let expected = [
        ("eval/mean_reward", 10),
        ("train/loss", 10),
        ("train/loss", 20),
    ];
    assert_eq!(found, expected.map(|(tag, step)| (tag.to_owned(), step)));
}
