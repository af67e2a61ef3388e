//! Training on a GPU, where there is one.

use crate::faults::say;
use crate::program::Workplace;

/// Whether this machine has a GPU that libtorch can use.
fn has_gpu(here: &Workplace) -> bool {
    let has_one = here.rlrun("--game Pong --device cuda:0 --dry-run").status == Some(0);
    if !has_one {
        say("SKIPPED: no CUDA device to train on");
    }
    has_one
}

/// Trains, goes on, and plays on the processor what was learned on the GPU.
fn check(words: &str, folder: &str, more_steps: &str) {
    let here = Workplace::new();
    if !has_gpu(&here) {
        return;
    }
    let run = format!("runs/{folder}/gpu");
    let ended = here.rlrun(&format!("{words} --device cuda:0 --quiet --name gpu"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("sha256"), "{ended:?}");
    let ended = here.rlrun(&format!("--resume {run} --steps {more_steps} --quiet"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let ended = here.rlrun(&format!("eval {run} --games 1 --envs 1 --device cpu"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

#[test]
fn a2c_with_groups_and_coordinates() {
    let words = "--game Pong --torso coordconv --envs 8 --actors 2 --steps 4k";
    check(words, "Pong/a2c-coordconv", "6k");
}

#[test]
fn a2c_in_bf16() {
    let words = "--game Pong --envs 8 --steps 4k --precision bf16";
    check(words, "Pong/a2c-conv", "6k");
}

#[test]
fn dqn_with_prioritized_replay() {
    let words = "--game Pong --agent dqn --steps 2k --set dqn.learning_starts_steps=500 --set dqn.replay_capacity=2000 \
         --set dqn.prioritized=true";
    check(words, "Pong/dqn-conv", "3k");
}
