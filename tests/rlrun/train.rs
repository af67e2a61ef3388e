//! Training from end to end: the numbers repeat, faults end a run with their cause, a run folder is complete.

use std::path::{Path, PathBuf};

use crate::program::{Ended, Workplace};

/// The SHA-256 of the weights that a finished training printed.
fn sha256(ended: &Ended) -> String {
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let line = ended
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("weights sha256 "));
    line.unwrap_or_else(|| panic!("no hash: {ended:?}"))
        .to_owned()
}

fn run_folder(here: &Workplace, of: &str) -> PathBuf {
    here.path().join("runs").join(of)
}

#[test]
fn the_same_plan_gives_the_same_weights_threaded_or_serial() {
    let here = Workplace::new();
    let train = |options: &str| {
        let plan = "--game MsPacman --torso coordconv --steps 800 --quiet";
        sha256(&here.rlrun(&format!("{plan} {options}")))
    };
    let first = train("--name first --seed 1");
    assert_eq!(first, train("--name again --seed 1"));
    assert_eq!(first, train("--name serial --seed 1 --serial"));
    assert_ne!(first, train("--name other --seed 2"));
}

#[test]
fn threads_do_not_decide_the_weights_with_any_number_of_actors_and_workers() {
    let here = Workplace::new();
    for layout in [
        "--actors 1 --threads 1",
        "--actors 4 --threads 1",
        "--actors 4 --threads 2",
        "--actors 4 --threads 3",
    ] {
        let train = |name: &str, mode: &str| {
            let words = format!("--game probe:position --steps 4k --quiet {layout} {mode}");
            let name = format!("{name}{}", layout.replace("--", "").replace(' ', "-"));
            sha256(&here.rlrun(&format!("{words} --name {name}")))
        };
        assert_eq!(train("a", ""), train("b", "--serial"), "{layout}");
    }
}

#[test]
fn a_failing_or_panicking_actor_ends_the_run_with_its_cause_and_a_checkpoint() {
    let here = Workplace::new();
    let check = |probe: &str, cause: &str, options: &str| {
        let words = format!(
            "--game {probe} --steps 100k --name r{} --quiet {options}",
            options.len()
        );
        let ended = here.rlrun(&words);
        assert_eq!(ended.status, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(cause), "{ended:?}");
        assert!(ended.stderr.contains("--resume"), "{ended:?}");
        let run = run_folder(&here, &format!("{probe}/a2c-conv/r{}", options.len()));
        // Its environments fail at their 50th step, in the tenth rollout of 16 x 5 steps.
        let newest = run.join("checkpoints/step-000000000720.safetensors");
        assert!(newest.exists(), "{probe}");
    };
    for options in ["", "--serial"] {
        check("probe:fails", "has reached its step", options);
        check("probe:panics", "panicked", options);
    }
}

#[test]
fn an_actor_that_hangs_is_named_and_the_run_ends_with_a_checkpoint() {
    let here = Workplace::new();
    let words = "--game probe:hangs --steps 100k --quiet --set run.watchdog_s=1";
    let ended = here.rlrun(&format!("{words} --name a"));
    assert_eq!(ended.status, Some(1), "{ended:?}");
    for said in [
        "was waiting for its environments to finish its step 50",
        "saved up to step 720",
        "--resume",
    ] {
        assert!(ended.stderr.contains(said), "{said}: {ended:?}");
    }
    // In the middle of a rollout the environments are further than the agent; what is saved belongs together.
    let again = here.rlrun("--resume runs/probe:hangs/a2c-conv/a --quiet");
    assert_eq!(again.status, Some(1), "{again:?}");
    assert!(again.stderr.contains("saved up to step 720"), "{again:?}");

    let dqn = "--agent dqn --set dqn.learning_starts_steps=20 --set dqn.replay_capacity=500";
    let ended = here.rlrun(&format!("{words} --name d {dqn}"));
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("actor 0 was waiting"), "{ended:?}");
    // A round of DQN that was begun cannot be taken back.
    assert!(ended.stderr.contains("saved up to step 0"), "{ended:?}");
}

#[test]
fn a_finished_run_folder_is_complete() {
    let here = Workplace::new();
    let ended = here.rlrun("--game probe:lives --steps 8k --name r --quiet");
    let hash = sha256(&ended);
    let run = run_folder(&here, "probe:lives/a2c-conv/r");
    for file in ["plan.toml", "versions.json", "episodes.csv", "summary.json"] {
        assert!(run.join(file).exists(), "{file}");
    }
    let summary = std::fs::read_to_string(run.join("summary.json")).expect("a summary");
    assert!(summary.contains(&hash), "{summary}");
    let rows = std::fs::read_to_string(run.join("episodes.csv")).expect("a table");
    // A game is 3 lives of 2 steps, 1 point a step; the raw score of the full game is logged, not of a life.
    let mut rows = rows.lines();
    assert_eq!(
        rows.next(),
        Some("episode,step,env,score,length_steps,length_frames,wall_seconds")
    );
    let first: Vec<&str> = rows.next().expect("a game").split(',').collect();
    assert_eq!(first[..5], ["1", "96", "0", "6", "6"]);
    assert_eq!(rows.count() + 1, 8_000 / 6 / 16 * 16);
}

#[test]
fn tensorboards_own_reader_finds_the_curves() {
    let here = Workplace::new();
    sha256(&here.rlrun("--game probe:lives --steps 8k --name r --quiet"));
    let script = "
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1]); events.Reload()
for tag in ['rollout/ep_rew_mean', 'rollout/ep_len_mean', 'time/steps_per_s', 'train/policy_loss', 'train/value_loss',
            'train/entropy', 'train/explained_variance', 'train/grad_norm', 'train/learning_rate', 'train/n_updates']:
    assert events.Scalars(tag), tag
mean = events.Scalars('rollout/ep_rew_mean')
assert [row.step for row in mean] == [2000, 4000, 6000, 8000], mean
assert all(row.value == 6.0 for row in mean), mean
assert 'probe:lives' in str(events.Tensors('plan')), events.Tags()
";
    let run = run_folder(&here, "probe:lives/a2c-conv/r");
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let output = std::process::Command::new(python)
        .args(["-c", script])
        .arg(&run)
        .output()
        .expect("the Python of the set-up");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_is_missing_is_named_with_what_mends_it_and_nothing_is_written() {
    let here = Workplace::new();
    let check = |variable: &str, expected: &str| {
        let mut command = here.command("--game Pong --steps 80 --quiet");
        let output = command.env(variable, here.path()).output();
        let ended = Ended::from(output.expect("the program starts"));
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(expected), "{ended:?}");
        assert!(here.names().is_empty(), "{:?}", here.names());
    };
    check("RLRUN_VENV", "scripts/bootstrap");
    check("ALE_ROMS_DIR", "no ROM of Pong");
}
