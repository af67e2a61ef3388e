//! The flight recorder: every game of a training is listed, filmed again as it was, and refused where it is not.

use std::fs;
use std::path::PathBuf;

use crate::program::{Ended, Workplace};
use crate::resume::{begin, checkpoints_of, wait_until};

const A2C: &str = "--game Breakout --envs 4 --set env.reseed_steps=250 --seed 5 --quiet --name r";
const A2C_RUN: &str = "runs/Breakout/a2c-conv/r";
const DQN: &str = "--game Breakout --agent dqn --protocol machado --envs 2 --threads 1 --steps 2k --quiet --seed 6 \
     --set dqn.learning_starts_steps=1000 --set dqn.replay_capacity=2000 --set dqn.batch_size=8 \
     --set env.reseed_steps=250 --set run.checkpoint_interval_seconds=1";
const DQN_RUNS: &str = "runs/Breakout/dqn-conv";

/// A finished run of A2C.
fn trained(steps: &str) -> Workplace {
    let here = Workplace::new();
    let ended = here.rlrun(&format!("{A2C} --steps {steps}"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    here
}

/// The games of a run as `episodes` lists them under these options.
fn listed(here: &Workplace, run: &str, options: &str) -> Vec<serde_json::Value> {
    let ended = here.rlrun(&format!("episodes {run} --json {options}"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).expect("JSON")
}

/// Films a game and looks whether it is `game` of the list, under the size that a video of its length has at least.
fn check_replay(here: &Workplace, run: &str, options: &str, game: &serde_json::Value) {
    let ended = here.rlrun(&format!("replay {run} {options} --scale 1 --out game.gif"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let (number, score) = (&game["episode"], game["score"].as_f64().expect("a score"));
    let length = game["length_steps"].as_u64().expect("a length");
    let expected = format!("game {number}: score {score} in {length} steps");
    assert!(ended.stdout.starts_with(&expected), "{expected}: {ended:?}");
    assert!(
        ended.stdout.ends_with("as recorded\ngame.gif\n"),
        "{ended:?}"
    );
    let video = fs::read(here.path().join("game.gif")).expect("a video");
    assert!(video.starts_with(b"GIF89a"));
    // Each picture has a header of its own.
    assert!(
        video.len() as u64 > 19 * (length + 1),
        "{} bytes",
        video.len()
    );
    fs::remove_file(here.path().join("game.gif")).expect("it is there");
}

/// What a refused or failed command says. No video is left of it.
fn check_refusal(here: &Workplace, words: &str, status: i32, expected: &str) {
    let names = here.names();
    let ended = here.rlrun(words);
    assert_eq!(ended.status, Some(status), "{words}: {ended:?}");
    assert!(ended.stderr.contains(expected), "{words}: {ended:?}");
    assert_eq!(here.names(), names, "{words}");
}

fn file(here: &Workplace, run: &str, name: &str) -> PathBuf {
    here.path().join(run).join(name)
}

#[test]
fn any_game_of_a2c_is_filmed_again_with_its_score() {
    let here = trained("5k");
    let all = listed(&here, A2C_RUN, "");
    assert!(all.len() > 10, "{} games", all.len());
    assert!(all.iter().all(|game| game["replay"] == "yes"), "{all:?}");
    let first = |options: &str| listed(&here, A2C_RUN, options)[0].clone();
    check_replay(&here, A2C_RUN, "--episode best", &first("--sort score"));
    check_replay(
        &here,
        A2C_RUN,
        "--episode last --panel",
        &all[all.len() - 1],
    );
    check_replay(&here, A2C_RUN, "--episode 7", &all[6]);
    check_replay(&here, A2C_RUN, "--step 3k", &first("--from 3k"));
    let named = here.rlrun(&format!("replay {A2C_RUN} --episode 1"));
    assert_eq!(named.status, Some(0), "{named:?}");
    let video = fs::read(here.path().join("Breakout-game-1.mp4")).expect("a video");
    assert_eq!(&video[4..8], b"ftyp");
}

#[test]
fn a_killed_dqn_leaves_the_recorder_of_an_uninterrupted_one_and_its_games_are_filmed() {
    let here = Workplace::new();
    let whole = here.rlrun(&format!("{DQN} --name whole"));
    assert_eq!(whole.status, Some(0), "{whole:?}");
    let run = format!("{DQN_RUNS}/cut");
    let mut child = begin(&here, &format!("{DQN} --name cut"));
    wait_until("a second checkpoint", || {
        checkpoints_of(&here, &run).len() >= 2
    });
    child.kill().expect("it can be killed");
    child.wait().expect("it is dead");
    let ended = here.rlrun(&format!("--resume {run} --quiet"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let recorded = |run: &str| fs::read(file(&here, run, "recorder.bin")).expect("a file");
    assert!(recorded(&run) == recorded(&format!("{DQN_RUNS}/whole")));
    let all = listed(&here, &run, "");
    check_replay(&here, &run, "--episode last --panel", &all[all.len() - 1]);
    check_replay(
        &here,
        &run,
        "--episode worst",
        &listed(&here, &run, "--sort score --reverse")[0],
    );
}

#[test]
fn another_game_than_the_recorded_one_fails_with_both_numbers_and_leaves_no_video() {
    let here = trained("2k");
    let table = file(&here, A2C_RUN, "episodes.csv");
    let text = fs::read_to_string(&table).expect("a table");
    let row = text.lines().nth(2).expect("two games");
    let mut columns: Vec<&str> = row.split(',').collect();
    let score = columns[3].to_owned();
    columns[3] = "77";
    fs::write(&table, text.replace(row, &columns.join(","))).expect("it is writable");
    let expected = format!(
        "has score {score} after {length} steps, the recorded one 77 after {length}",
        length = columns[4]
    );
    check_refusal(
        &here,
        &format!("replay {A2C_RUN} --episode 2"),
        1,
        &expected,
    );
    check_refusal(
        &here,
        &format!("replay {A2C_RUN} --episode best"),
        1,
        &expected,
    );
    // The same seed and actions under other rules.
    let plan = file(&here, A2C_RUN, "plan.toml");
    let text = fs::read_to_string(&plan).expect("a plan");
    fs::write(&plan, text.replace("baselines", "machado")).expect("it is writable");
    check_refusal(
        &here,
        &format!("replay {A2C_RUN} --episode 5"),
        1,
        "or ale-py is not the version in versions.json",
    );
}

#[test]
fn a_damaged_recorder_is_named_and_its_games_are_refused() {
    let here = trained("1200");
    let path = file(&here, A2C_RUN, "recorder.bin");
    let mut bytes = fs::read(&path).expect("a file");
    bytes[60] ^= 1;
    fs::write(&path, bytes).expect("it is writable");
    let page = here.rlrun(&format!("episodes {A2C_RUN}"));
    assert_eq!(page.status, Some(0), "{page:?}");
    assert!(
        page.stdout.contains("recorder.bin: bytes 17 to "),
        "{page:?}"
    );
    let words = format!("replay {A2C_RUN} --episode 1");
    check_refusal(&here, &words, 2, "game 1 cannot be replayed: ");

    fs::write(&path, "").expect("it is writable");
    check_refusal(&here, &words, 2, "game 1 cannot be replayed: ");
}

#[test]
fn a_run_that_began_without_a_recorder_is_told_so_and_goes_on_with_one() {
    let here = trained("5k");
    let n_before = listed(&here, A2C_RUN, "").len();
    fs::remove_file(file(&here, A2C_RUN, "recorder.bin")).expect("it is there");
    let games = listed(&here, A2C_RUN, "");
    assert!(
        games.iter().all(|game| game["replay"] == "no-recorder"),
        "{games:?}"
    );
    let words = format!("replay {A2C_RUN} --episode last");
    check_refusal(&here, &words, 2, "no flight recorder");
    let ended = here.rlrun(&format!("--resume {A2C_RUN} --steps 7k"));
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(
        ended.stderr.contains("the flight recorder begins anew"),
        "{ended:?}"
    );
    let games = listed(&here, A2C_RUN, "");
    assert_eq!(games[0]["replay"], "not-recorded");
    assert!(
        games[n_before..].iter().all(|game| game["replay"] == "yes"),
        "{games:?}"
    );
    check_replay(&here, A2C_RUN, "--episode last", &games[games.len() - 1]);
}

#[test]
fn wrong_requests_exit_with_2_and_say_what_there_is() {
    let here = trained("1200");
    let check = |words: &str, expected: &str| check_refusal(&here, words, 2, expected);
    check("episodes none", "no run folder: none/plan.toml");
    check(
        &format!("episodes {A2C_RUN} --from 2k --to 1k"),
        "--from 2_000 is after --to 1_000",
    );
    check(
        &format!("episodes {A2C_RUN} --sort luck"),
        "[possible values: score,",
    );
    check(
        &format!("episodes {A2C_RUN} --min-score nan"),
        "expected a number",
    );
    check(
        &format!("episodes {A2C_RUN} --json --csv"),
        "cannot be used with",
    );
    check("replay none --episode best", "no run folder");
    check(
        &format!("replay {A2C_RUN}"),
        "--episode <GAME>|--step <STEP>",
    );
    check(
        &format!("replay {A2C_RUN} --episode middle"),
        "expected best, worst, last or",
    );
    check(
        &format!("replay {A2C_RUN} --episode 0"),
        "there is no game 0",
    );
    check(
        &format!("replay {A2C_RUN} --step 1M"),
        "no game ended at step 1_000_000 or later",
    );
    check(
        &format!("replay {A2C_RUN} --episode 1 --out game.avi"),
        ".mp4 or .gif",
    );
    check(
        &format!("replay {A2C_RUN} --episode 1 --out none/game.gif"),
        "no folder none",
    );
    check(
        &format!("replay {A2C_RUN} --episode 1 --scale 9"),
        "expected 1 to 8",
    );
}

#[test]
fn a_world_without_a_picture_is_recorded_and_not_filmed() {
    let here = Workplace::new();
    let ended: Ended = here.rlrun("--game probe:lives --steps 8k --name r --quiet");
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let run = "runs/probe:lives/a2c-conv/r";
    assert!(file(&here, run, "recorder.bin").exists());
    let page = here.rlrun(&format!("episodes {run} --limit 1"));
    assert!(
        page.stdout.contains("only Atari games can be replayed"),
        "{page:?}"
    );
    let table = here.rlrun(&format!("episodes {run} --csv --limit 1"));
    assert!(table.stdout.ends_with(",no-picture\n"), "{table:?}");
    check_refusal(
        &here,
        &format!("replay {run} --episode 1"),
        2,
        "has no picture",
    );
}
