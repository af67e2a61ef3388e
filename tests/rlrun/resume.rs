//! Stopping and going on: what is promised after Ctrl-C, a kill, a damaged checkpoint, a full disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{Ended, Workplace};

const RUN: &str = "runs/probe:lives/a2c-conv/r";
/// Long enough to be interrupted, with a checkpoint every second.
const TRAIN: &str =
    "--game probe:lives --steps 10M --name r --quiet --set run.checkpoint_interval_seconds=1";

pub(crate) fn begin(here: &Workplace, words: &str) -> Child {
    let mut command = here.command(words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

/// Waits until `condition` holds, for at most a minute.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(
            start.elapsed() < Duration::from_mins(1),
            "{what} never happened"
        );
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn checkpoints(here: &Workplace) -> Vec<PathBuf> {
    checkpoints_of(here, RUN)
}

/// The regular checkpoints of a run, oldest first.
pub(crate) fn checkpoints_of(here: &Workplace, run: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(here.path().join(run).join("checkpoints")) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains("/step-"))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "safetensors")
        })
        .collect();
    paths.sort();
    paths
}

pub(crate) fn step_of(checkpoint: &Path) -> u64 {
    let name = checkpoint
        .file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    name.trim_start_matches("step-")
        .parse()
        .expect("a number of steps")
}

/// Sends a signal, by its name with a dash.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status();
    assert!(status.expect("kill is there").success());
}

/// A run that was stopped after its first checkpoints.
fn stopped_run() -> Workplace {
    let here = Workplace::new();
    let child = begin(&here, TRAIN);
    wait_until("a second checkpoint", || checkpoints(&here).len() >= 2);
    signal(&child, "-TERM");
    let ended = Ended::from(child.wait_with_output().expect("it ends"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    here
}

/// Makes the plan of the stopped run end a little after its newest checkpoint, and resumes it to its end.
fn finish(here: &Workplace) -> Ended {
    let newest = step_of(checkpoints(here).last().expect("a checkpoint"));
    let plan = here.path().join(RUN).join("plan.toml");
    let text = fs::read_to_string(&plan).expect("a plan");
    let shorter = text.replace(
        "total_steps = 10000000",
        &format!("total_steps = {}", newest + 4_000),
    );
    assert_ne!(text, shorter);
    fs::write(&plan, shorter).expect("the plan is writable");
    here.rlrun(&format!("--resume {RUN} --quiet"))
}

fn game_steps(here: &Workplace) -> Vec<u64> {
    game_steps_of(here, RUN)
}

/// The steps of the games in a run's table.
pub(crate) fn game_steps_of(here: &Workplace, run: &str) -> Vec<u64> {
    let table = fs::read_to_string(here.path().join(run).join("episodes.csv")).expect("a table");
    let step = |row: &str| row.split(',').nth(1).and_then(|step| step.parse().ok());
    table
        .lines()
        .skip(1)
        .map(|row| step(row).expect("a step"))
        .collect()
}

#[test]
fn sigterm_stops_within_3_seconds_with_a_checkpoint_and_says_how_to_go_on() {
    let here = Workplace::new();
    let child = begin(&here, TRAIN);
    wait_until("a second checkpoint", || checkpoints(&here).len() >= 2);
    let start = Instant::now();
    signal(&child, "-TERM");
    let ended = Ended::from(child.wait_with_output().expect("it ends"));
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(
        ended.stderr.contains(&format!("--resume {RUN}")),
        "{ended:?}"
    );
    let newest = step_of(checkpoints(&here).last().expect("a checkpoint"));
    let said = ended.stderr.replace('_', "");
    let expected = format!("stopped at step {newest}, saved up to step {newest}");
    assert!(said.contains(&expected), "{ended:?}");
}

#[test]
fn a_killed_run_goes_on_from_its_checkpoint_as_one_continuous_run() {
    let here = Workplace::new();
    let mut child = begin(&here, TRAIN);
    wait_until("a second checkpoint", || checkpoints(&here).len() >= 2);
    child.kill().expect("it can be killed");
    child.wait().expect("it is dead");
    let restored = step_of(checkpoints(&here).last().expect("a checkpoint"));

    let ended = finish(&here);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let steps = game_steps(&here);
    assert!(steps.is_sorted(), "a game is in the table twice");
    assert!(*steps.last().expect("games") > restored);
    // In every environment a game takes six steps: none is missing but those that the kill broke off.
    let expected = (restored + 4_000) / 6;
    let got = steps.len() as u64;
    assert!(
        (expected - 40..=expected).contains(&got),
        "{got} games, expected {expected}"
    );
}

#[test]
fn a_finished_run_that_is_resumed_says_so_and_changes_nothing() {
    let here = Workplace::new();
    let first = here.rlrun("--game probe:lives --steps 4k --name r --quiet");
    let again = here.rlrun(&format!("--resume {RUN} --quiet"));
    assert_eq!(again.status, Some(0), "{again:?}");
    let hash = |ended: &Ended| {
        let line = ended
            .stdout
            .lines()
            .find(|line| line.starts_with("weights sha256"));
        line.map(str::to_owned)
    };
    assert_eq!(hash(&first), hash(&again));
    assert!(hash(&first).is_some());
}

#[test]
fn a_run_that_is_made_longer_keeps_its_new_end() {
    let here = Workplace::new();
    let first = here.rlrun("--game probe:lives --steps 4k --name r --quiet");
    assert_eq!(first.status, Some(0), "{first:?}");
    let child = begin(&here, &format!("--resume {RUN} --steps 10M --quiet"));
    let summary = here.path().join(RUN).join("summary.json");
    wait_until("the run begins again", || !summary.exists());
    signal(&child, "-TERM");
    let ended = Ended::from(child.wait_with_output().expect("it ends"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let plan = fs::read_to_string(here.path().join(RUN).join("plan.toml")).expect("a plan");
    assert!(plan.contains("total_steps = 10000000"), "{plan}");
}

#[test]
fn an_edited_plan_is_held_to_what_a_configuration_is() {
    let here = Workplace::new();
    let first = here.rlrun("--game probe:lives --steps 4k --name r --quiet");
    assert_eq!(first.status, Some(0), "{first:?}");
    let path = here.path().join(RUN).join("plan.toml");
    let plan = fs::read_to_string(&path).expect("a plan");
    fs::write(&path, plan.replace("n_groups = 2", "n_groups = 0")).expect("it is writable");
    let ended = here.rlrun(&format!("--resume {RUN} --quiet"));
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("env.n_groups = 0"), "{ended:?}");
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_it_used() {
    let here = stopped_run();
    let paths = checkpoints(&here);
    let newest = paths.last().expect("a checkpoint");
    let bytes = fs::read(newest).expect("it is readable");
    fs::write(newest, &bytes[..bytes.len() / 2]).expect("it is writable");
    let ended = finish(&here);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("is not used: truncated"), "{ended:?}");
}

#[test]
fn no_evaluation_is_left_out_however_fast_the_training_is() {
    let here = Workplace::new();
    let words = "--game probe:lives --steps 8k --name r --quiet --set eval.interval_steps=80";
    let ended = here.rlrun(&format!("{words} --set eval.games=32"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let table = fs::read_to_string(here.path().join(RUN).join("evaluations.csv"));
    let table = table.expect("a table");
    let steps = table.lines().skip(1).map(|row| row.split(',').nth(1));
    let mut steps: Vec<&str> = steps.map(|step| step.expect("a step")).collect();
    assert!(steps.len() == 100 * 32, "{}", steps.len());
    steps.dedup();
    let expected: Vec<String> = (1..=100).map(|n| (n * 80).to_string()).collect();
    assert_eq!(steps, expected);
}

#[test]
fn the_best_checkpoint_is_made_good_after_a_kill_before_it_was_saved() {
    let here = Workplace::new();
    let first = here.rlrun("--game probe:lives --steps 4k --name r --quiet");
    assert_eq!(first.status, Some(0), "{first:?}");
    let best = here.path().join(RUN).join("checkpoints/best.safetensors");
    let saved = fs::read(&best).expect("the best checkpoint");
    let resumed = |steps: &str| here.rlrun(&format!("--resume {RUN} --steps {steps} --quiet"));
    // A later checkpoint of the same score takes no place.
    assert_eq!(resumed("6k").status, Some(0));
    assert_eq!(fs::read(&best).expect("the best checkpoint"), saved);
    fs::remove_file(&best).expect("it is there");
    assert_eq!(resumed("8k").status, Some(0));
    assert!(best.exists());
    fs::write(&best, &saved[..saved.len() / 2]).expect("it is writable");
    assert_eq!(resumed("10k").status, Some(0));
    // With longer recordings of the environments than the first.
    let made_good = fs::read(&best).expect("the best checkpoint");
    assert!(made_good.len() >= saved.len());
}

#[test]
fn a_run_without_a_usable_checkpoint_is_refused() {
    let here = stopped_run();
    for path in checkpoints(&here) {
        let mut bytes = fs::read(&path).expect("it is readable");
        *bytes.last_mut().expect("bytes") ^= 1;
        fs::write(&path, bytes).expect("it is writable");
    }
    let ended = here.rlrun(&format!("--resume {RUN} --quiet"));
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("checksum differs"), "{ended:?}");
}

#[test]
fn a_checkpoint_of_another_torso_is_refused_with_both_names() {
    let here = Workplace::new();
    for torso in ["conv", "coordconv"] {
        let words = format!("--game probe:lives --torso {torso} --steps 4k --name r --quiet");
        assert_eq!(here.rlrun(&words).status, Some(0));
    }
    let own = checkpoints(&here).pop().expect("a checkpoint");
    let other = own.to_string_lossy().replace("a2c-conv", "a2c-coordconv");
    fs::copy(other, own).expect("it can be copied");
    let ended = here.rlrun(&format!("--resume {RUN} --quiet"));
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(
        ended.stderr.contains("torso is coordconv, expected conv"),
        "{ended:?}"
    );
}

#[test]
fn a_second_process_on_one_run_folder_is_refused() {
    let here = Workplace::new();
    let mut child = begin(&here, TRAIN);
    wait_until("the first checkpoint", || !checkpoints(&here).is_empty());
    let second = here.rlrun(&format!("--resume {RUN} --quiet"));
    let pid = child.id().to_string();
    child.kill().expect("it can be killed");
    child.wait().expect("it is dead");
    assert_eq!(second.status, Some(2), "{second:?}");
    assert!(second.stderr.contains(&pid), "{second:?}");
}

#[test]
fn a_full_disk_warns_keeps_the_last_good_checkpoint_and_training_goes_on() {
    let here = stopped_run();
    let before = checkpoints(&here);
    // No file may grow beyond 128 KiB from here on, which stands for a disk without room for a checkpoint.
    let program = env!("CARGO_BIN_EXE_rlrun");
    let script = format!("trap '' XFSZ; ulimit -f 128; exec {program} --resume {RUN} --quiet");
    let child = Command::new("bash")
        .args(["-c", &script])
        .current_dir(here.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("bash is there");
    std::thread::park_timeout(Duration::from_secs(4));
    signal(&child, "-TERM");
    let ended = Ended::from(child.wait_with_output().expect("it ends"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains("warning: cannot write the checkpoint"),
        "{ended:?}"
    );
    assert_eq!(checkpoints(&here), before);
    assert_eq!(finish(&here).status, Some(0));
}

#[test]
fn a_runs_folder_that_cannot_be_written_is_refused() {
    let here = Workplace::new();
    here.write("file", "");
    let ended = here.rlrun("--game probe:lives --steps 4k --runs file/runs --quiet");
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("--runs"), "{ended:?}");
    assert_eq!(here.names(), ["file"]);
}
