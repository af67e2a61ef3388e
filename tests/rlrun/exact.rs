//! A run that was killed again and again is the run that was never interrupted, bit for bit.

use std::fs;
use std::process::Child;
use std::thread::park_timeout;
use std::time::Duration;

use crate::faults::say;
use crate::program::{Ended, Workplace};
use crate::resume::{begin, checkpoints_of, step_of};

/// A checkpoint every second, evaluations, and new seeds for the environments all the time.
pub(crate) const OFTEN: &str = "--quiet --seed 7 --set run.checkpoint_interval_seconds=1 --set env.reseed_steps=100 \
     --set run.log_interval_steps=500 --set eval.interval_steps=2000 --set eval.games=1";

/// Waits until the run has a checkpoint after `before`; false if it ended first.
fn has_moved_on(here: &Workplace, run: &str, child: &mut Child, before: u64) -> bool {
    loop {
        let newest = checkpoints_of(here, run).last().map(|path| step_of(path));
        if newest.is_some_and(|newest| newest > before) {
            return true;
        }
        if child.try_wait().expect("a child").is_some() {
            return false;
        }
        park_timeout(Duration::from_millis(5));
    }
}

/// The hash of the weights, the tables without wall seconds, and the flight recorder's file.
pub(crate) fn outcome(here: &Workplace, run: &str, ended: &Ended) -> ([String; 3], Vec<u8>) {
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let hash = ended.stdout.lines().find(|line| line.contains("sha256"));
    let table = |name| fs::read_to_string(here.path().join(run).join(name)).unwrap_or_default();
    let games = table("episodes.csv");
    let games = games
        .lines()
        .map(|row| row.rsplit_once(',').expect("columns").0);
    let games: Vec<&str> = games.collect();
    let tables = [
        hash.expect("a hash").to_owned(),
        games.join("\n"),
        table("evaluations.csv"),
    ];
    let recorder = fs::read(here.path().join(run).join("recorder.bin"));
    (tables, recorder.unwrap_or_default())
}

/// A run that nothing happens to.
struct Whole {
    here: Workplace,
    /// What is typed, and the folder of such runs below `runs`.
    words: &'static str,
    folder: &'static str,
    expected: ([String; 3], Vec<u8>),
}

impl Whole {
    fn train(words: &'static str, folder: &'static str) -> Self {
        let here = Workplace::new();
        let ended = here.rlrun(&format!("{words} {OFTEN} --name whole"));
        let expected = outcome(&here, &format!("runs/{folder}/whole"), &ended);
        assert!(expected.0[1].lines().count() > 5, "{:?}", expected.0);
        assert!(!expected.1.is_empty(), "no flight recorder");
        Self {
            here,
            words,
            folder,
            expected,
        }
    }

    /// Trains once more under another name, with so many kills, each after a checkpoint and the pause that `pause` says for it.
    fn train_killed(&self, name: &str, n_kills: u64, pause: impl Fn(u64) -> Duration) {
        let Self { here, words, .. } = self;
        let run = format!("runs/{}/{name}", self.folder);
        let mut next = format!("{words} {OFTEN} --name {name}");
        let (mut n_killed, mut before) = (0, 0);
        while n_killed < n_kills {
            let mut child = begin(here, &next);
            if has_moved_on(here, &run, &mut child, before) {
                park_timeout(pause(n_killed));
            }
            let is_over = child.try_wait().expect("a child").is_some();
            child.kill().expect("it can be killed");
            child.wait().expect("it is dead");
            next = format!("--resume {run} --quiet");
            before = checkpoints_of(here, &run)
                .last()
                .map_or(0, |path| step_of(path));
            if is_over {
                break;
            }
            n_killed += 1;
        }
        assert!(n_killed >= 1, "it was over before the first kill");
        let (got, recorded) = outcome(here, &run, &here.rlrun(&next));
        let expected = &self.expected.0;
        assert!(
            got == *expected,
            "{words}, {n_killed} kills: {got:?}\ninstead of {expected:?}"
        );
        assert!(
            recorded == self.expected.1,
            "{words}, {n_killed} kills: another recorder.bin"
        );
    }
}

/// Trains as `words` say twice, the second time with `n_kills` kills.
fn check_exact(words: &'static str, folder: &'static str, n_kills: u64) {
    let pause = |n_killed| Duration::from_millis(131 * n_killed);
    Whole::train(words, folder).train_killed("cut", n_kills, pause);
}

/// Twenty runs, each killed once or twice at moments of its own.
fn check_twenty(words: &'static str, folder: &'static str) {
    let whole = Whole::train(words, folder);
    for number in 0..20 {
        let pause = |n_killed| Duration::from_millis(73 * number + 211 * n_killed);
        whole.train_killed(&format!("cut-{number}"), 1 + number % 2, pause);
    }
    let hash = &whole.expected.0[0];
    say(&format!(
        "SOAK exact: {words}: 20 runs that were killed, each as the one that was not: {hash}"
    ));
}

const A2C: &str = "--game MsPacman --torso coordconv --envs 4 --steps 8k";
const DQN: &str = "--game Breakout --agent dqn --protocol machado --steps 3k --set dqn.learning_starts_steps=500 \
     --set dqn.replay_capacity=1500 --set dqn.batch_size=8 --set dqn.n_step=3 --set dqn.prioritized=true";

#[test]
fn a2c_on_atari() {
    check_exact(A2C, "MsPacman/a2c-coordconv", 3);
}

#[test]
fn dqn_on_atari_with_sticky_actions() {
    check_exact(DQN, "Breakout/dqn-conv", 3);
}

#[test]
#[ignore = "minutes long; scripts/soak runs it"]
fn twenty_runs_of_each_agent() {
    check_twenty(A2C, "MsPacman/a2c-coordconv");
    check_twenty(DQN, "Breakout/dqn-conv");
}

#[test]
fn both_agents_on_a_scripted_world() {
    check_exact("--game probe:lives --steps 60k", "probe:lives/a2c-conv", 4);
    let words = "--game probe:lives --agent dqn --envs 2 --threads 1 --set dqn.batch_size=4 \
         --set dqn.learning_starts_steps=400 --set dqn.replay_capacity=3000 --steps 30k";
    check_exact(words, "probe:lives/dqn-conv", 4);
}

#[test]
#[cfg_attr(
    not(feature = "classic"),
    ignore = "built without gym-rs: install libsdl2-gfx-dev, then scripts/test builds it in"
)]
fn dqn_on_a_classic() {
    check_exact(
        "--game CartPole --agent dqn --steps 12k",
        "CartPole/dqn-mlp",
        3,
    );
}
