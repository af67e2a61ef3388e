//! CartPole and MountainCar from end to end. In a build without gym-rs these tests are ignored, by name.

use std::process::Command;

use crate::program::{Ended, Workplace};

/// A mean of 475 over 100 games is what Gymnasium calls `CartPole-v1` solved (`reward_threshold`).
const SOLVED: f64 = 475.0;

/// Numbers in a column of a run's table, by the column's index.
fn column(here: &Workplace, run: &str, table: &str, idx: usize) -> Vec<f64> {
    let path = here.path().join("runs").join(run).join(table);
    let rows = std::fs::read_to_string(path).expect("a table");
    let number = |row: &str| row.split(',').nth(idx)?.parse().ok();
    rows.lines().skip(1).filter_map(number).collect()
}

/// Scores of all games, in the order in which they ended.
fn scores(here: &Workplace, run: &str) -> Vec<f64> {
    column(here, run, "episodes.csv", 3)
}

fn mean(scores: &[f64]) -> f64 {
    let n = u32::try_from(scores.len()).expect("fewer games");
    scores.iter().sum::<f64>() / f64::from(n)
}

fn assert_finished(ended: &Ended) {
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

/// Runs the program, and returns the seconds of processor time that all of its threads took together.
fn processor_seconds(here: &Workplace, words: &str) -> f64 {
    let mut shell = Command::new("sh");
    shell.args(["-c", "\"$0\" \"$@\" && times"]);
    shell.arg(env!("CARGO_BIN_EXE_rlrun"));
    shell.args(words.split_whitespace());
    let ended = shell.current_dir(here.path()).output();
    let ended = Ended::from(ended.expect("a shell"));
    assert_finished(&ended);
    // The last line is of the shell's children, user and system: 0m13.1s 0m2.04s
    let line = ended.stdout.lines().last().expect("times");
    let seconds = |time: &str| {
        let (minutes, seconds) = time.strip_suffix('s')?.split_once('m')?;
        Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
    };
    let times: Option<Vec<f64>> = line.split_whitespace().map(seconds).collect();
    times.expect("two times").iter().sum()
}

/// The full `CartPole-v1`, 500 steps, played while learning with actions that are drawn from the policy. On a clock the minute
/// would depend on what else runs on the machine, other tests for example; so it is a minute of all threads together.
#[test]
#[cfg_attr(
    not(feature = "classic"),
    ignore = "built without gym-rs: install libsdl2-gfx-dev, then scripts/test builds it in"
)]
fn a2c_solves_cart_pole_in_a_minute_with_each_of_three_seeds() {
    let here = Workplace::new();
    for seed in [1, 2, 3] {
        let words = format!("--game CartPole --agent a2c --seed {seed} --name {seed} --quiet");
        let seconds = processor_seconds(&here, &words);
        let scores = scores(&here, &format!("CartPole/a2c-mlp/{seed}"));
        assert!(scores.iter().all(|score| (1.0..=500.0).contains(score)));
        // It is not solved by not learning.
        assert!(mean(&scores[..100]) < 100.0, "{:?}", &scores[..100]);
        let best = scores.windows(100).map(mean).fold(0.0, f64::max);
        assert!(best >= SOLVED, "seed {seed}: best mean of 100 games {best}");
        assert!(seconds < 60.0, "seed {seed} took {seconds} s");
        println!("seed {seed}: best mean {best}, {seconds:.1} s of processor time");
    }
}

/// The greedy policy as the evaluations beside the training play it, 100 games each.
#[test]
#[cfg_attr(
    not(feature = "classic"),
    ignore = "built without gym-rs: install libsdl2-gfx-dev, then scripts/test builds it in"
)]
fn dqn_solves_cart_pole_in_a_minute_with_each_of_three_seeds() {
    let here = Workplace::new();
    for seed in [1, 2, 3] {
        let words =
            format!("--game CartPole --agent dqn --steps 60k --seed {seed} --name {seed} --quiet");
        let seconds = processor_seconds(&here, &words);
        let run = format!("CartPole/dqn-mlp/{seed}");
        let steps = column(&here, &run, "evaluations.csv", 1);
        let scores = column(&here, &run, "evaluations.csv", 2);
        assert!(scores.iter().all(|score| (1.0..=500.0).contains(score)));
        assert!(
            steps
                .chunks(100)
                .all(|rows| rows[rows.len() - 1] - rows[0] < 1.0)
        );
        let means: Vec<f64> = scores.chunks_exact(100).map(mean).collect();
        // It is not solved by not learning.
        assert!(means.len() > 10 && means[0] < 400.0, "{means:?}");
        let best = means.iter().copied().fold(0.0, f64::max);
        assert!(best >= SOLVED, "seed {seed}: means of 100 games {means:?}");
        assert!(seconds < 60.0, "seed {seed} took {seconds} s");
        println!("seed {seed}: means {means:?}, {seconds:.1} s of processor time");
    }
}

#[test]
#[cfg_attr(
    not(feature = "classic"),
    ignore = "built without gym-rs: install libsdl2-gfx-dev, then scripts/test builds it in"
)]
fn the_same_plan_gives_the_same_weights_on_a_classic_threaded_or_serial() {
    let here = Workplace::new();
    let weights = |words: &str| {
        let ended = here.rlrun(&format!("{words} --quiet"));
        assert_finished(&ended);
        let line = ended.stdout.lines().find(|line| line.contains("sha256"));
        line.expect("a hash").to_owned()
    };
    for layout in [
        "--game CartPole --steps 8k",
        "--game CartPole --steps 8k --actors 4 --threads 2",
        "--game MountainCar --steps 8k --actors 2 --threads 1",
    ] {
        let name = layout.replace("--", "").replace(' ', "-");
        let first = weights(&format!("{layout} --name a{name}"));
        assert_eq!(first, weights(&format!("{layout} --name b{name}")));
        assert_eq!(first, weights(&format!("{layout} --name c{name} --serial")));
        let other = weights(&format!("{layout} --name d{name} --seed 2"));
        assert_ne!(first, other);
    }
}

#[test]
#[cfg_attr(
    not(feature = "classic"),
    ignore = "built without gym-rs: install libsdl2-gfx-dev, then scripts/test builds it in"
)]
fn a_classic_that_was_stopped_goes_on() {
    let here = Workplace::new();
    assert_finished(&here.rlrun("--game CartPole --steps 4k --name r --quiet"));
    let n_games = scores(&here, "CartPole/a2c-mlp/r").len();
    let ended = here.rlrun("--resume runs/CartPole/a2c-mlp/r --steps 8k --quiet");
    assert_finished(&ended);
    assert!(scores(&here, "CartPole/a2c-mlp/r").len() > n_games);
}

#[test]
#[cfg_attr(feature = "classic", ignore = "this build has gym-rs")]
fn a_build_without_gym_rs_says_what_is_missing_and_writes_nothing() {
    let here = Workplace::new();
    for game in ["CartPole", "MountainCar-v0"] {
        let ended = here.rlrun(&format!("--game {game} --quiet"));
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("gym-rs"), "{ended:?}");
        assert!(
            ended.stderr.contains("sudo apt install libsdl2-gfx-dev"),
            "{ended:?}"
        );
        assert!(here.names().is_empty(), "{:?}", here.names());
    }
}
