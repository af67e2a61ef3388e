//! Measurements from end to end, on a scripted world and for a moment each: what they print, what they write, what is refused.

use std::fs;

use serde_json::Value;

use crate::program::Workplace;

/// Measures with `words`, and gives what was printed and what was written.
fn measured(here: &Workplace, words: &str) -> (String, Value) {
    let ended = here.rlrun(&format!("bench {words} --repeats 2 --json numbers.json"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "", "{words}");
    assert_eq!(here.names(), ["numbers.json"], "{words}");
    let json = fs::read_to_string(here.path().join("numbers.json")).expect("a file");
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert!(json["machine"]["cores"].as_u64() >= Some(1), "{json}");
    assert!(json["machine"]["libtorch"].is_string(), "{json}");
    let command = json["command"].as_str().expect("the command");
    assert!(command.starts_with("rlrun bench "), "{command}");
    (ended.stdout, json)
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

/// Two repeats with their median between them, all above zero.
fn check_repeats(repeats: &Value) {
    let each: Vec<f64> = repeats["each"]
        .as_array()
        .unwrap_or_else(|| panic!("{repeats} are no repeats"))
        .iter()
        .map(number)
        .collect();
    assert_eq!(each.len(), 2);
    assert!(each.iter().all(|&one| one > 0.0), "{repeats}");
    let middle = each.iter().sum::<f64>() / 2.0;
    assert!((number(&repeats["median"]) - middle).abs() < 1e-6 * middle);
}

#[test]
fn a_wrong_measurement_is_refused_before_it_begins_and_writes_nothing() {
    let here = Workplace::new();
    let check = |words: &str, expected: &str| {
        let ended = here.rlrun(&format!("bench {words}"));
        assert_eq!(ended.status, Some(2), "{words}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{words}: {ended:?}");
        assert_eq!(ended.stdout, "", "{words}");
        assert!(here.names().is_empty(), "{words}: {:?}", here.names());
    };
    check(
        "env --game MsPackman --json a.json",
        "did you mean `MsPacman`?",
    );
    check("env --game Pong,MsPackman", "did you mean `MsPacman`?");
    check("env", "--game <NAME,...>");
    check("env --game Pong --seconds 0", "must be above 0");
    check("env --game Pong --seconds -1", "must be above 0");
    check("env --game Pong --seconds soon", "expected seconds");
    check(
        "env --game Pong --envs 0",
        "env.n_envs = 0 (--envs) must be at least 1",
    );
    check("env --game Pong --envs 4 --actors 3", "over 3 actors");
    check(
        "env --game Pong --envs 4 --env-threads 5",
        "which have 4 of 4",
    );
    check("env --game Pong --json none/a.json", "--json none/a.json: ");
    check(
        "env --game probe:fails --seconds 0.1 --repeats 0",
        "must be at least 1",
    );
    check("infer --batch 0", "--batch 0 must be 1 to 4096");
    check(
        "infer --torso mlp",
        "MsPacman takes --torso conv or coordconv",
    );
    check("infer --json .", "--json .: ");
    check("update --agent ppo", "[possible values: a2c, dqn]");
    check("update --repeats 0", "must be at least 1");
    check("train --game Pong --repeats 0", "must be at least 1");
    check("train --seconds 1", "no game is named");
    check(
        "train --game Pong --json none/a.json",
        "--json none/a.json: ",
    );
}

#[test]
fn a_failed_measurement_leaves_no_file() {
    let here = Workplace::new();
    let ended = here.rlrun("bench env --game probe:fails --envs 1 --seconds 1 --json a.json");
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("actor 0 failed"), "{ended:?}");
    assert!(here.names().is_empty());
}

#[test]
fn environments_are_measured_in_every_combination_that_can_be() {
    let here = Workplace::new();
    let words =
        "env --game probe:lives,probe:sign --envs 4 --actors 1,3,4 --env-threads 1,2 --seconds 0.1";
    let (page, json) = measured(&here, words);
    let rows = json["rows"].as_array().expect("rows");
    let numbers = |row: &Value| {
        let key = |key: &str| row[key].as_u64().expect("a count");
        (key("n_actors"), key("env_threads"))
    };
    let got: Vec<_> = rows.iter().map(numbers).collect();
    assert_eq!(got, [(1, 1), (1, 2), (4, 1), (1, 1), (1, 2), (4, 1)]);
    for row in rows {
        check_repeats(&row["steps_per_s"]);
    }
    assert!(page.contains("probe:sign"), "{page}");
    assert!(page.contains("left out: 4 environments cannot"), "{page}");
    assert!(page.contains("left out: 2 emulator threads"), "{page}");
}

#[test]
fn the_emulator_is_measured_with_four_frames_a_step() {
    let here = Workplace::new();
    let (page, json) = measured(&here, "env --game ms-pacman --envs 2 --seconds 0.3");
    let row = &json["rows"][0];
    assert_eq!(row["game"], "MsPacman");
    let steps = number(&row["steps_per_s"]["median"]);
    assert!((number(&row["median_frames_per_s"]) / steps - 4.0).abs() < 1e-9);
    assert!(page.contains("MsPacman (baselines)"), "{page}");
}

#[test]
fn forward_passes_are_measured_on_one_thread_and_on_all() {
    let here = Workplace::new();
    for agent in ["a2c", "dqn"] {
        let words = format!(
            "infer --agent {agent} --torso coordconv --device cpu --threads 2 --batch 1,4 --seconds 0.1"
        );
        let (page, json) = measured(&here, &words);
        let rows = json["rows"].as_array().expect("rows");
        let threads: Vec<_> = rows
            .iter()
            .map(|row| (&row["batch"], &row["threads"]))
            .collect();
        assert_eq!(threads.len(), 4);
        assert_eq!(
            (threads[1].0.as_u64(), threads[1].1.as_u64()),
            (Some(1), Some(2))
        );
        for row in rows {
            check_repeats(&row["passes_per_s"]);
            let passes = number(&row["passes_per_s"]["median"]);
            let per_thread = number(&row["ms_per_pass"]) * passes / 1e3;
            assert!((per_thread - number(&row["threads"])).abs() < 1e-6);
        }
        assert!(
            page.contains(&format!("{agent}-coordconv for MsPacman")),
            "{page}"
        );
        fs::remove_file(here.path().join("numbers.json")).expect("it is there");
    }
}

#[test]
fn an_update_is_measured_as_the_plan_has_it() {
    let here = Workplace::new();
    let check = |words: &str, n_workers: u64, n_transitions: u64| {
        let (page, json) = measured(&here, &format!("update --device cpu --seconds 0.2 {words}"));
        let row = &json["rows"][0];
        assert_eq!(
            (&row["n_workers"], &row["n_transitions"]),
            (&n_workers.into(), &n_transitions.into())
        );
        for part in ["gradient_ms", "apply_ms", "update_ms"] {
            check_repeats(&row[part]);
        }
        let [gradient, apply, update] =
            ["gradient_ms", "apply_ms", "update_ms"].map(|part| number(&row[part]["median"]));
        assert!((gradient + apply - update).abs() < 1e-6 * update);
        assert!(
            page.contains(&format!("{n_transitions} transitions, {n_workers} workers")),
            "{page}"
        );
    };
    check(
        "--agent a2c --threads 2 --envs 4 --set a2c.rollout_steps=3",
        2,
        12,
    );
    check("--agent dqn --threads 1 --set dqn.batch_size=8", 1, 8);
}

fn check_training(words: &str) -> (String, Value) {
    let here = Workplace::new();
    let (page, json) = measured(
        &here,
        &format!(
            "train --game probe:lives --device cpu --threads 2 --warmup 40 --seconds 0.3 {words}"
        ),
    );
    let row = json["rows"][0].clone();
    check_repeats(&row["steps_per_s"]);
    let (achieved, limit) = (number(&row["achieved"]), &row["limit"]);
    let at_most = number(&limit["steps_per_s"]);
    assert!((achieved * at_most - number(&row["steps_per_s"]["median"])).abs() < 1e-6 * at_most);
    // A limit that is passed is none.
    assert!(achieved > 0.0 && achieved < 1.0, "{page}");
    let step_us = number(&limit["env_us"]) + number(&limit["network_us"]);
    assert!((1e6 / step_us - at_most).abs() < 1e-6 * at_most);
    assert!(number(&row["peak_memory_mb"]) > 50.0);
    let shares: f64 = row["parts"]
        .as_array()
        .expect("parts")
        .iter()
        .map(|part| number(&part["share"]))
        .sum();
    assert!((0.95..1.05).contains(&shares), "{shares}");
    let threads = row["threads"].as_array().expect("threads");
    let learner = threads
        .iter()
        .find(|one| one["name"] == "learner")
        .expect("a learner");
    assert!(number(&learner["on_core"]) > 0.0);
    for line in [
        "limit: a step takes",
        "achieved",
        "cores it had",
        "peak memory",
        "env_wait",
        "rest",
        "idle",
    ] {
        assert!(page.contains(line), "{line} in {page}");
    }
    (page, row)
}

#[test]
fn a_training_is_measured_beside_what_the_machine_could_do() {
    let (page, row) = check_training("--envs 4 --agent a2c");
    assert!(!page.contains("long run"), "{page}");
    assert!((number(&row["updates_per_step"]) - 1.0 / 20.0).abs() < 1e-9);
}

#[test]
fn dqn_is_measured_as_in_a_long_run() {
    let (page, row) = check_training("--agent dqn --set dqn.epsilon_end=0.05");
    assert!(
        page.contains("epsilon at its final value of 0.05"),
        "{page}"
    );
    assert!((number(&row["updates_per_step"]) - 0.25).abs() < 1e-9);
}
