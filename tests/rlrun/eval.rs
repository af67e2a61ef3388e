//! `rlrun eval` from end to end.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{Ended, Workplace};

/// A run that is over at once.
fn trained(words: &str) -> Workplace {
    let here = Workplace::new();
    let ended = here.rlrun(&format!("{words} --name r --quiet"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    here
}

fn assert_refused(ended: &Ended, expected: &str) {
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.stderr.contains(expected), "{ended:?}");
}

/// Names of the files in a folder, sorted.
fn files(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

/// All rows of a CSV without the column of the environment.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).expect("a table");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("game,env,seed,score,length_steps"));
    let row = |line: &str| {
        let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        cells.remove(1);
        cells
    };
    lines.map(row).collect()
}

#[test]
fn wrong_requests_are_refused_and_leave_nothing() {
    let here = Workplace::new();
    assert_refused(&here.rlrun("eval"), "<RUN>");
    assert_refused(&here.rlrun("eval nowhere"), "nowhere: no run folder");
    assert_refused(&here.rlrun("eval . --games 0"), "at least 1");
    assert_refused(&here.rlrun("eval . --epsilon 1.5"), "from 0 to 1");
    assert_refused(
        &here.rlrun("eval . --greedy --stochastic"),
        "cannot be used with",
    );
    assert_refused(
        &here.rlrun("eval . --checkpoint last"),
        "newest, best or a step",
    );
    assert!(here.names().is_empty(), "{:?}", here.names());

    let here = trained("--game probe:lives --agent a2c --steps 400 --envs 2 --threads 1");
    let run = "runs/probe:lives/a2c-conv/r";
    let words = format!("eval {run} --checkpoint 17");
    assert_refused(&here.rlrun(&words), "there is no checkpoint of step 17");
    assert_refused(&here.rlrun(&words), "there are: 400");
    let words = format!("eval {run} --checkpoint best");
    assert_refused(&here.rlrun(&words), "there is no best checkpoint");
    assert_refused(
        &here.rlrun(&format!("eval {run} --device cuda:9")),
        "cuda:9",
    );
    here.write("file", "");
    assert_refused(
        &here.rlrun(&format!("eval {run} --out file/x")),
        "--out DIR",
    );
    assert!(!here.path().join(run).join("eval").exists());
}

#[test]
fn every_game_counts_once_and_neither_environments_nor_repetition_change_a_score() {
    let here = trained("--game Pong --agent a2c --steps 320 --envs 4 --threads 1");
    let run = "runs/Pong/a2c-conv/r";
    let eval = |more: &str| {
        let ended = here.rlrun(&format!("eval {run} --games 3 {more}"));
        assert_eq!(ended.status, Some(0), "{ended:?}");
        ended.stdout
    };
    let page = eval("");
    for part in [
        "Pong a2c-conv seed 1",
        "3 games under baselines, stochastic",
        "IQM",
        "human-normalised",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let name = "step-320-stochastic-seed1-3games";
    let folder = here.path().join(run).join("eval");
    assert_eq!(
        files(&folder),
        [format!("{name}.csv"), format!("{name}.json")]
    );
    let games = rows(&folder.join(format!("{name}.csv")));
    let numbers: Vec<&str> = games.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(numbers, ["0", "1", "2"]);
    for row in &games {
        let score: f64 = row[2].parse().expect("a score");
        assert!((-21.0..=21.0).contains(&score), "{row:?}");
    }
    eval("--envs 1 --quiet --out one");
    let one = here.path().join("one").join(format!("{name}.csv"));
    assert_eq!(rows(&one), games);
    assert_eq!(eval("--seed 2 --out two --quiet"), "");
    let other = here.path().join("two/step-320-stochastic-seed2-3games.csv");
    assert_ne!(rows(&other), games);

    let json = fs::read_to_string(folder.join(format!("{name}.json"))).expect("a file");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let number = |value: &Value| value.as_f64().expect("a number");
    let mean = games
        .iter()
        .map(|row| row[2].parse::<f64>().expect("a score"))
        .sum::<f64>()
        / 3.0;
    assert!((number(&json["score"]["mean"]) - mean).abs() < 1e-9);
    let normalised = (mean + 20.7) / 35.3;
    assert!((number(&json["human_normalised"]["mean"]) - normalised).abs() < 1e-9);
    assert_eq!(json["protocol"]["rules"]["noop_max"], 30);
    assert_eq!(json["checkpoint"]["step"], 320);
    assert!(json["versions"]["ale-py"].is_string());
    let summary = fs::read_to_string(here.path().join(run).join("summary.json")).expect("it");
    let summary: Value = serde_json::from_str(&summary).expect("JSON");
    assert_eq!(
        json["checkpoint"]["weights_sha256"],
        summary["weights_sha256"]
    );
}

#[test]
fn dqn_plays_with_its_own_epsilon_and_a_game_without_human_score_says_so() {
    let here = trained(
        "--game probe:lives --agent dqn --steps 500 --envs 2 --threads 1 --set dqn.batch_size=4 \
         --set dqn.learning_starts_steps=400 --set dqn.replay_capacity=3000 --set dqn.eval_epsilon=0.25",
    );
    let run = "runs/probe:lives/dqn-conv/r";
    let ended = here.rlrun(&format!("eval {run} --games 20 --envs 7"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(
        ended.stdout.contains("greedy with epsilon 0.25"),
        "{ended:?}"
    );
    assert!(
        ended.stdout.contains("probe:lives has no human score"),
        "{ended:?}"
    );
    let name = "step-500-greedy-epsilon0.25-seed1-20games";
    let folder = here.path().join(run).join("eval");
    assert_eq!(rows(&folder.join(format!("{name}.csv"))).len(), 20);
    let json = fs::read_to_string(folder.join(format!("{name}.json"))).expect("a file");
    assert!(json.contains("\"human_normalised\": null"), "{json}");
    let ended = here.rlrun(&format!("eval {run} --stochastic"));
    assert_refused(&ended, "dqn has values and no probabilities");
}

#[test]
fn a_run_that_is_locked_can_be_evaluated() {
    let here = trained("--game probe:lives --agent a2c --steps 400 --envs 2 --threads 1");
    let run = "runs/probe:lives/a2c-conv/r";
    // Somebody trains on.
    let training = format!("--resume {run} --steps 100M --quiet");
    let mut training = here.command(&training).spawn().expect("the program starts");
    let ended = here.rlrun(&format!("eval {run} --games 2 --quiet"));
    let is_training = training.try_wait().expect("its state").is_none();
    training.kill().expect("it is there");
    training.wait().expect("it ends");
    assert!(is_training, "the training ended before the evaluation");
    assert_eq!(ended.status, Some(0), "{ended:?}");
}
