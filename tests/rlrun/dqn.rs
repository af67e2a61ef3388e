//! DQN from end to end, on a scripted world: what is refused, what a kill leaves, where its memory lies.

use std::fs;
use std::path::PathBuf;

use crate::program::{Ended, Workplace};
use crate::resume::{begin, checkpoints_of, game_steps_of, step_of, wait_until};

/// A run of some seconds with a small memory and a checkpoint every second.
const TRAIN: &str = "--game probe:lives --agent dqn --name r --quiet --envs 2 --threads 1 --set dqn.batch_size=4 \
     --set dqn.learning_starts_steps=400 --set dqn.replay_capacity=3000 --set run.checkpoint_interval_seconds=1";
const RUN: &str = "runs/probe:lives/dqn-conv/r";

fn weights(ended: &Ended) -> String {
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let line = ended.stdout.lines().find(|line| line.contains("sha256"));
    line.expect("a hash").to_owned()
}

/// A finished run of so many steps.
fn finished(steps: &str, more: &str) -> Workplace {
    let here = Workplace::new();
    let ended = here.rlrun(&format!("{TRAIN} --steps {steps} {more}"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    here
}

fn check_refusal(here: &Workplace, words: &str, expected: &str) {
    let ended = here.rlrun(words);
    assert_eq!(ended.status, Some(2), "{words}: {ended:?}");
    assert!(ended.stderr.contains(expected), "{words}: {ended:?}");
}

#[test]
fn a_memory_that_does_not_fit_is_refused_with_the_numbers_and_leaves_nothing() {
    let here = Workplace::new();
    let huge = "--game Pong --agent dqn --quiet --set dqn.replay_capacity=100M";
    check_refusal(&here, huge, "of memory, and");
    check_refusal(
        &here,
        huge,
        "would fit, or --replay-dir DIR keeps it on disk",
    );
    fs::create_dir(here.path().join("big")).expect("a folder");
    let words = format!("{huge} --replay-dir big --set dqn.replay_capacity=100G");
    let ended = here.rlrun(&words);
    assert_eq!(ended.status, Some(2), "{ended:?}");
    let files = fs::read_dir(here.path().join("big")).expect("it is there");
    assert_eq!(files.count(), 0);
    let small = "--game Pong --agent dqn --quiet --set dqn.replay_capacity=16";
    check_refusal(&here, small, "is too small for dqn.batch_size = 32");
    let deep = "--game Pong --agent dqn --quiet --set dqn.n_step=100k";
    check_refusal(&here, deep, "is too small for dqn.n_step = 100000 (--set)");
    check_refusal(
        &here,
        "--game Pong --set a2c.double=true",
        "the agent a2c has no `a2c.double`; `dqn.double` is a setting of --agent dqn",
    );
}

#[test]
fn a_memory_on_disk_gives_the_numbers_of_one_in_memory() {
    let here = Workplace::new();
    fs::create_dir(here.path().join("disk")).expect("a folder");
    let in_memory = here.rlrun(&format!("{TRAIN} --steps 2k"));
    let words = TRAIN.replace("--name r", "--name m");
    let mapped = here.rlrun(&format!("{words} --steps 2k --replay-dir disk"));
    assert_eq!(weights(&in_memory), weights(&mapped));
    assert!(here.path().join(RUN).join("replay.bin").exists());
    let file = here.path().join("disk/probe-lives-baselines-conv-m.replay");
    assert!(
        file.exists(),
        "{:?}",
        fs::read_dir(here.path().join("disk"))
    );
    let ended = here.rlrun("--resume runs/probe:lives/dqn-conv/m --steps 3k --quiet");
    assert_eq!(ended.status, Some(0), "{ended:?}");
    // Under whatever name the folder is given.
    std::os::unix::fs::symlink(
        here.path().join("runs/probe:lives/dqn-conv/m"),
        here.path().join("link"),
    )
    .expect("a link");
    let ended = here.rlrun("--resume link --steps 4k --quiet");
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

#[test]
fn a_run_that_is_killed_ten_times_goes_on_without_filling_its_memory_again() {
    let here = Workplace::new();
    let mut words = format!("{TRAIN} --steps 10M");
    for kill in 0..10 {
        let before = checkpoints_of(&here, RUN).last().map(|path| step_of(path));
        let mut child = begin(&here, &words);
        wait_until("a new checkpoint", || {
            let newest = checkpoints_of(&here, RUN).last().map(|path| step_of(path));
            newest > before.max(Some(0))
        });
        std::thread::park_timeout(std::time::Duration::from_millis(37 * kill));
        child.kill().expect("it can be killed");
        child.wait().expect("it is dead");
        words = format!("--resume {RUN} --quiet");
    }
    let newest = step_of(checkpoints_of(&here, RUN).last().expect("a checkpoint"));
    let plan = here.path().join(RUN).join("plan.toml");
    let text = fs::read_to_string(&plan).expect("a plan");
    let end = newest / 1_000 * 1_000 + 2_000;
    let shorter = text.replace("total_steps = 10000000", &format!("total_steps = {end}"));
    fs::write(&plan, shorter).expect("the plan is writable");
    let ended = here.rlrun(&words);
    assert_eq!(ended.status, Some(0), "{ended:?}");

    let steps = game_steps_of(&here, RUN);
    assert!(steps.is_sorted(), "a game is in the table twice");
    // Six steps a game; each kill broke off at most one in each environment.
    let (got, expected) = (steps.len() as u64, end / 6);
    assert!(
        (expected - 22..=expected).contains(&got),
        "{got} of {expected}"
    );
    // One update for every four steps after the first 400, and none was left out to fill the memory again.
    let summary = fs::read_to_string(here.path().join(RUN).join("summary.json"));
    let summary: serde_json::Value =
        serde_json::from_str(&summary.expect("a summary")).expect("JSON");
    assert_eq!(summary["updates"], (end - 400) / 4);
}

/// Damages the file of a finished run's memory, and looks at how its resumption is refused.
fn check_damage(damage: impl FnOnce(&mut Vec<u8>), expected: &str) {
    let here = finished("1k", "");
    let path: PathBuf = here.path().join(RUN).join("replay.bin");
    let mut bytes = fs::read(&path).expect("a file");
    damage(&mut bytes);
    fs::write(&path, bytes).expect("it is writable");
    let result = |name| fs::read_to_string(here.path().join(RUN).join(name)).expect("a file");
    let names = ["summary.json", "plan.toml", "episodes.csv"];
    let before = names.map(result);
    let words = format!("--resume {RUN} --steps 2k --quiet");
    check_refusal(&here, &words, expected);
    check_refusal(&here, &words, "--forget-replay goes on without");
    assert!(names.map(result) == before, "the finished run was changed");
    let ended = here.rlrun(&format!("{words} --forget-replay"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    for said in [
        expected,
        "the replay memory is lost; going on at step 1_000",
    ] {
        assert!(ended.stderr.contains(said), "{said}: {ended:?}");
    }
    // The memory was filled again by 400 steps, in which nothing was learned.
    let summary: serde_json::Value =
        serde_json::from_str(&result("summary.json")).expect("a summary");
    assert_eq!(summary["updates"], (1_000 - 400) / 4 + (1_000 - 400) / 4);
    weights(&here.rlrun(&format!("--resume {RUN} --steps 3k --quiet")));
}

#[test]
fn a_damaged_memory_is_refused_with_the_place_and_forgotten_if_that_is_asked_for() {
    check_damage(|bytes| bytes[4096 + 5 * 36 * 36] ^= 1, "replay.bin");
    check_damage(
        |bytes| bytes.truncate(100_000),
        "has 100000 bytes, expected",
    );
    check_damage(|bytes| bytes[3] ^= 1, "replay.bin");
    check_damage(Vec::clear, "replay.bin");
}

#[test]
fn where_the_newest_checkpoints_memory_is_damaged_an_older_one_goes_on() {
    let here = Workplace::new();
    let mut child = begin(&here, &format!("{TRAIN} --steps 10M"));
    wait_until("three checkpoints", || {
        checkpoints_of(&here, RUN).len() >= 3
    });
    child.kill().expect("it can be killed");
    child.wait().expect("it is dead");
    let paths = checkpoints_of(&here, RUN);
    let (older, newest) = (
        step_of(&paths[paths.len() - 2]),
        step_of(&paths[paths.len() - 1]),
    );
    // The slot that became complete last before the newest checkpoint: two environments, each with a lane of its own.
    let path = here.path().join(RUN).join("replay.bin");
    let mut bytes = fs::read(&path).expect("a file");
    let n_slots = (bytes.len() - 4096) / 2 / (36 * 36 + 6);
    let slot = usize::try_from(newest / 2 - 1).expect("a slot") % n_slots;
    let all = 4096 + slot * 36 * 36..4096 + (slot + 1) * 36 * 36;
    bytes[all].iter_mut().for_each(|byte| *byte ^= 1);
    fs::write(&path, bytes).expect("it is writable");
    let end = newest / 4 * 4 + 2_000;
    let plan = here.path().join(RUN).join("plan.toml");
    let text = fs::read_to_string(&plan).expect("a plan");
    let shorter = text.replace("total_steps = 10000000", &format!("total_steps = {end}"));
    fs::write(&plan, shorter).expect("the plan is writable");
    let ended = here.rlrun(&format!("--resume {RUN}"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let said = ended.stderr.replace('_', "");
    for expected in [
        format!("step-{newest:012}.safetensors is not used: the replay memory"),
        format!("at step {older}"),
    ] {
        assert!(said.contains(&expected), "{expected}: {ended:?}");
    }
}

#[test]
fn a_run_with_a_mapped_memory_goes_on_under_another_name_and_its_memory_in_another_folder() {
    let here = Workplace::new();
    let at = |name: &str| here.path().join(name);
    fs::create_dir(at("disk")).expect("a folder");
    let words = format!("{TRAIN} --steps 1k --replay-dir disk");
    let ended = here.rlrun(&words);
    // Of the same name, with another torso or beneath another folder: neither meets the other's file.
    weights(&here.rlrun(&format!("{words} --torso coordconv")));
    weights(&here.rlrun(&format!("{words} --runs others")));
    assert_eq!(fs::read_dir(at("disk")).expect("files").count(), 3);
    fs::rename(at(RUN), at("moved")).expect("it can be moved");
    let whole = here.rlrun(&TRAIN.replace("--name r", "--name w --steps 2k"));
    let resumed = here.rlrun("--resume moved --steps 2k --quiet");
    assert_eq!(weights(&whole), weights(&resumed), "{ended:?}");

    fs::rename(at("disk"), at("other")).expect("it can be moved");
    let words = "--resume moved --steps 3k --quiet";
    check_refusal(&here, words, "--replay-dir DIR says where");
    weights(&here.rlrun(&format!("{words} --replay-dir other")));
    weights(&here.rlrun("--resume moved --steps 4k --quiet"));
    check_refusal(
        &here,
        "--resume runs/probe:lives/dqn-conv/w --replay-dir other --steps 3k",
        "this one has none outside its folder",
    );
}
