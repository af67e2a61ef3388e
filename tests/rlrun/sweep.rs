//! Sweeps from end to end, on a probe world that takes a second: finished, interrupted, failed and refused ones.

use std::fs;
use std::process::{Child, Command, Stdio};

use crate::program::{Ended, Workplace};
use crate::resume::{begin, checkpoints_of, wait_until};

/// Two torsos, each some seconds long.
const LONG: &str = "sweep --games probe:lives --steps 20k --jobs 2";

fn run_folder(torso: &str, seed: u64) -> String {
    format!("runs/probe:lives/a2c-{torso}/seed{seed}")
}

fn is_finished(here: &Workplace, run: &str) -> bool {
    here.path().join(run).join("summary.json").exists()
}

/// The weights of a finished run.
fn weights(here: &Workplace, run: &str) -> String {
    let summary = fs::read_to_string(here.path().join(run).join("summary.json"));
    let summary: serde_json::Value =
        serde_json::from_str(&summary.expect("a summary")).expect("JSON");
    summary["weights_sha256"]
        .as_str()
        .expect("a hash")
        .to_owned()
}

fn signal(pid: &str, name: &str) {
    let status = Command::new("kill").args([name, pid]).status();
    assert!(
        status.expect("kill is there").success(),
        "kill {name} {pid}"
    );
}

/// The process that writes to a run folder.
fn pid_of(here: &Workplace, run: &str) -> String {
    let lock = fs::read_to_string(here.path().join(run).join("lock"));
    lock.expect("a lock").trim().to_owned()
}

fn wait_for_checkpoints(here: &Workplace, torsos: &[&str]) {
    wait_until("the first checkpoints", || {
        torsos
            .iter()
            .all(|torso| !checkpoints_of(here, &run_folder(torso, 1)).is_empty())
    });
}

fn end(child: Child) -> Ended {
    Ended::from(child.wait_with_output().expect("it ends"))
}

#[test]
fn a_grid_is_trained_once_and_a_run_of_train_is_one_of_it() {
    let here = Workplace::new();
    // As scripts/sweep.sh starts it.
    let by_hand = here
        .rlrun("train --game probe:lives --torso conv --steps 4k --seed 2 --name seed2 --quiet");
    assert_eq!(by_hand.status, Some(0), "{by_hand:?}");
    here.write(
        "grid.toml",
        "games = [\"probe:lives\"]\ntorsos = [\"conv\", \"coordconv\"]\nseeds = \"1-2\"\nsteps = 4_000\n",
    );
    let dry = here.rlrun("sweep grid.toml --dry-run");
    assert_eq!(dry.status, Some(0), "{dry:?}");
    assert!(
        dry.stdout.contains("a2c-conv/seed1       starts\n"),
        "{dry:?}"
    );
    assert!(
        dry.stdout
            .contains("a2c-conv/seed2       is finished: 6.0\n"),
        "{dry:?}"
    );
    assert!(dry.stdout.contains("4 runs in runs, "), "{dry:?}");
    assert!(!here.path().join("runs/.sweep").exists());

    let ended = here.rlrun("sweep grid.toml --jobs 2");
    assert_eq!(ended.status, Some(0), "{ended:?}");
    for torso in ["conv", "coordconv"] {
        for seed in [1, 2] {
            assert!(
                is_finished(&here, &run_folder(torso, seed)),
                "{torso} {seed}"
            );
        }
    }
    assert_eq!(
        ended.stderr.matches(" starts; log ").count(),
        3,
        "{ended:?}"
    );
    assert!(ended.stdout.ends_with("4 finished\n"), "{ended:?}");
    // Alone with all cores it comes to the same weights.
    let alone =
        here.rlrun("--game probe:lives --torso conv --steps 4k --threads 2 --name alone --quiet");
    assert_eq!(alone.status, Some(0), "{alone:?}");
    assert_eq!(
        weights(&here, &run_folder("conv", 1)),
        weights(&here, "runs/probe:lives/a2c-conv/alone")
    );

    let again = here.rlrun("sweep grid.toml");
    assert_eq!(
        (again.status, again.stderr.as_str()),
        (Some(0), ""),
        "{again:?}"
    );
}

#[test]
fn ctrl_c_reaches_every_run_once_and_the_same_command_goes_on() {
    let here = Workplace::new();
    let sweep = begin(&here, LONG);
    wait_for_checkpoints(&here, &["conv", "coordconv"]);
    let second = here.rlrun(LONG);
    assert_eq!(second.status, Some(2), "{second:?}");
    assert!(
        second.stderr.contains("in use by the process"),
        "{second:?}"
    );
    signal(&sweep.id().to_string(), "-INT");
    let ended = end(sweep);
    assert_eq!(ended.status, Some(130), "{ended:?}");
    assert!(ended.stdout.contains("2 stopped\n"), "{ended:?}");
    for torso in ["conv", "coordconv"] {
        assert!(
            !is_finished(&here, &run_folder(torso, 1)),
            "it was too fast"
        );
        let log = here
            .path()
            .join(format!("runs/.sweep/probelives.a2c-{torso}.seed1.log"));
        let log = fs::read_to_string(log).expect("a log");
        assert!(log.contains("stopped at step"), "{log}");
    }
    let again = here.rlrun(LONG);
    assert_eq!(again.status, Some(0), "{again:?}");
    assert_eq!(
        again.stderr.matches("goes on from step").count(),
        2,
        "{again:?}"
    );
    assert!(again.stdout.ends_with("2 finished\n"), "{again:?}");
}

#[test]
fn a_second_signal_kills_what_does_not_stop() {
    let here = Workplace::new();
    let sweep = begin(&here, &format!("{LONG} --torsos conv"));
    wait_for_checkpoints(&here, &["conv"]);
    // A process that is halted hears SIGTERM only when it goes on.
    signal(&pid_of(&here, &run_folder("conv", 1)), "-STOP");
    signal(&sweep.id().to_string(), "-TERM");
    // Signals of one name that come together are one.
    std::thread::park_timeout(std::time::Duration::from_millis(500));
    signal(&sweep.id().to_string(), "-TERM");
    let ended = end(sweep);
    assert_eq!(ended.status, Some(143), "{ended:?}");
    assert!(ended.stderr.contains("killing the runs"), "{ended:?}");
    let dry = here.rlrun(&format!("{LONG} --torsos conv --dry-run"));
    assert!(dry.stdout.contains("goes on from step"), "{dry:?}");
}

/// The end of a terminal is a stop, unless whoever started the sweep wants it to outlive that, as nohup does.
#[cfg(target_os = "linux")]
#[test]
fn the_end_of_the_terminal_stops_a_sweep_unless_it_was_started_to_outlive_it() {
    for (how, status) in [("default", 143), ("ignore", 0)] {
        let here = Workplace::new();
        let sweep = here.command(&format!("{LONG} --torsos conv"));
        let mut command = Command::new("env");
        command
            .arg(format!("--{how}-signal=HUP"))
            .arg(sweep.get_program());
        command.args(sweep.get_args()).current_dir(here.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let sweep = command.spawn().expect("the program starts");
        wait_for_checkpoints(&here, &["conv"]);
        signal(&sweep.id().to_string(), "-HUP");
        let ended = end(sweep);
        assert_eq!(ended.status, Some(status), "{how}: {ended:?}");
    }
}

#[test]
fn a_run_that_dies_or_fails_is_reported_with_its_last_words_and_the_rest_go_on() {
    let here = Workplace::new();
    fs::create_dir_all(here.path().join("runs/probe:lives")).expect("it is writable");
    // No folder can be made below a file.
    here.write("runs/probe:lives/a2c-coordconv", "");
    let sweep = begin(&here, &format!("{LONG} --seeds 1,2"));
    wait_for_checkpoints(&here, &["conv"]);
    signal(&pid_of(&here, &run_folder("conv", 1)), "-KILL");
    let ended = end(sweep);
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(is_finished(&here, &run_folder("conv", 2)));
    let said = &ended.stderr;
    assert!(said.contains("a2c-conv/seed1 FAILED after"), "{said}");
    assert!(
        said.contains("killed by signal 9; its last words:\n"),
        "{said}"
    );
    assert!(
        said.contains("cannot write the run folder runs/probe:lives/a2c-coordconv"),
        "{said}"
    );
    assert!(
        said.contains("3 of 4 runs failed; the same command tries them again"),
        "{said}"
    );
    assert!(
        ended.stdout.ends_with("1 finished, 3 FAILED\n"),
        "{ended:?}"
    );

    fs::remove_file(here.path().join("runs/probe:lives/a2c-coordconv")).expect("it is there");
    let again = here.rlrun(&format!("{LONG} --seeds 1,2"));
    assert_eq!(again.status, Some(0), "{again:?}");
    assert!(
        again.stderr.contains("a2c-conv/seed1 goes on from step"),
        "{again:?}"
    );
}

#[test]
fn a_changed_plan_is_refused_before_anything_starts() {
    let here = Workplace::new();
    let short = "sweep --games probe:lives --torsos conv --steps 4k";
    assert_eq!(here.rlrun(short).status, Some(0));
    let longer = "sweep --games probe:lives --torsos coordconv,conv --steps 8k";
    for words in [longer.to_owned(), format!("{longer} --dry-run")] {
        let ended = here.rlrun(&words);
        assert_eq!(ended.status, Some(2), "{ended:?}");
        let expected = "a2c-conv/seed1: total_steps = 4000 in its folder and 8000 in this sweep";
        assert!(ended.stderr.contains(expected), "{ended:?}");
        assert!(!here.path().join(run_folder("coordconv", 1)).exists());
    }
    let apart = here.rlrun(
        &format!("{longer} --torsos conv --tag longer").replace("--torsos coordconv,conv ", ""),
    );
    assert_eq!(apart.status, Some(0), "{apart:?}");
    assert!(is_finished(&here, "runs/probe:lives/a2c-conv/longer-seed1"));
}

#[test]
fn a_run_without_a_checkpoint_is_started_anew_and_its_folder_kept() {
    let here = Workplace::new();
    let words = "sweep --games probe:lives --torsos conv --steps 4k";
    assert_eq!(here.rlrun(words).status, Some(0));
    let folder = here.path().join(run_folder("conv", 1));
    fs::remove_file(folder.join("summary.json")).expect("it is there");
    fs::remove_dir_all(folder.join("checkpoints")).expect("it is there");
    let again = here.rlrun(words);
    assert_eq!(again.status, Some(0), "{again:?}");
    assert!(again.stderr.contains("starts anew"), "{again:?}");
    let names = fs::read_dir(folder.parent().expect("a folder")).expect("it is there");
    let n_aside = names.flatten().filter(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("seed1.without-checkpoint-")
    });
    assert_eq!(n_aside.count(), 1);
}

#[test]
fn a_wrong_request_exits_with_2_and_writes_nothing() {
    let here = Workplace::new();
    here.write("typo.toml", "games = [\"Pong\"]\n\nseed = 1\n");
    here.write("game.toml", "games = [\"Pongg\"]\n");
    here.write("one.toml", "games = [\"Pong\"]\njobs = 1\n");
    here.write("two.toml", "games = [\"Breakout\"]\njobs = 2\n");
    let names = here.names();
    let check = |words: &str, expected: &str| {
        let ended = here.rlrun(&format!("sweep {words}"));
        assert_eq!(ended.status, Some(2), "{words}: {ended:?}");
        assert!(ended.stderr.contains(expected), "{words}: {ended:?}");
        assert_eq!(here.names(), names, "{words}");
    };
    check("", "no games are named");
    check(
        "medium",
        "small, coordconv-9-games or the path of a TOML file",
    );
    check("typo.toml", "typo.toml:3: unknown field `seed`");
    check("game.toml", "game.toml:1: unknown game \"Pongg\"");
    check(
        "one.toml two.toml",
        "one.toml:2: jobs and two.toml:2: jobs differ; --jobs decides",
    );
    check("--games Pong --seeds 5-1", "runs backwards");
    check(
        "--games Pong --torsos cnn",
        "[possible values: conv, coordconv, mlp]",
    );
    check("--games Pong --jobs 0", "must be 1 to 256");
    check("--games Pong --set seed=2", "say it with --seeds");
    check("--games Pong --tag a/b", "a tag is made of");
    check(
        "--games Pong --preset nature",
        "preset `nature` is one of --agent dqn",
    );
    check(
        "--games Pong --agent dqn --jobs 9 --seeds 1-9 --set dqn.replay_capacity=1G",
        "of memory",
    );
    let dry = here.rlrun("sweep coordconv-9-games --dry-run");
    assert_eq!(dry.status, Some(0), "{dry:?}");
    assert_eq!(
        dry.stdout
            .lines()
            .filter(|line| line.ends_with("  starts"))
            .count(),
        54
    );
    assert_eq!(here.names(), names);
}

#[test]
fn without_a_terminal_each_event_is_a_line() {
    let here = Workplace::new();
    let mut command = here.command("sweep --games probe:lives --torsos conv --steps 4k");
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let ended = Ended::from(output);
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{ended:?}");
    assert!(
        lines[0].starts_with("probe:lives/a2c-conv/seed1 starts; log runs/.sweep/"),
        "{ended:?}"
    );
    assert!(
        lines[1].contains("finished in") && lines[1].ends_with("last 100 games: 6.0"),
        "{ended:?}"
    );
}
