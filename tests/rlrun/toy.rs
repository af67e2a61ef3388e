//! `rlrun toy`: wrong requests first, then short trainings, and sweeps that do nothing twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::program::{Ended, Workplace};

/// A grid of three trainings of an epoch each, seconds in all.
const GRID: &str = "[[runs]]\ntask = \"regression\"\nnet = \"coordconv\"\nsplits = [\"uniform\"]\nseeds = [1, 2, 3]\nepochs = [1]\n";

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn wrong_words_are_refused_and_nothing_is_written() {
    let place = Workplace::new();
    for (words, message) in [
        ("toy sorting", "unrecognized subcommand 'sorting'"),
        (
            "toy classification --split diagonal",
            "[possible values: uniform, quadrant]",
        ),
        (
            "toy classification --net mlp",
            "[possible values: coordconv, conv]",
        ),
        (
            "toy classification --minibatch 5000",
            "minibatch = 5000 is more than the 2368 examples",
        ),
        (
            "toy classification --minibatch 0",
            "minibatch must be at least 1",
        ),
        (
            "toy classification --filter 3",
            "filter has no meaning for classification with coordconv",
        ),
        (
            "toy classification --learning-rate nan",
            "learning_rate must be more than 0",
        ),
        ("toy classification --l2 -1", "l2 must be 0 or more, not -1"),
        (
            "toy classification --width -3",
            "width must be 1 to 8, not -3",
        ),
        (
            "toy rendering --net conv --filter 1",
            "filter must be 2 to 5",
        ),
        (
            "toy regression --threads 0",
            "--threads 0: must be 1 to 256",
        ),
        (
            "toy sweep --grid large",
            "it is small, paper, or the path of a TOML file",
        ),
        ("toy resume nowhere", "there is no folder nowhere to resume"),
    ] {
        let ended = place.rlrun(words);
        assert_eq!(ended.status, Some(2), "{words}: {}", ended.stderr);
        assert!(ended.stderr.contains(message), "{words}: {}", ended.stderr);
    }
    place.write("wrong.toml", "[[runs]]\ntask = \"regression\"\nlr = 3\n");
    let ended = place.rlrun("toy sweep --grid wrong.toml");
    assert_eq!(ended.status, Some(2));
    assert!(
        ended.stderr.contains("wrong.toml:3: unknown field `lr`"),
        "{}",
        ended.stderr
    );
    assert_eq!(place.names(), ["wrong.toml"]);
}

#[test]
fn each_task_trains_and_leaves_a_whole_folder() {
    let place = Workplace::new();
    for (task, parameters) in [
        ("classification", "7_553"),
        ("regression", "906"),
        ("rendering", "8_074"),
    ] {
        let ended = place.rlrun(&format!("toy {task} --epochs 1 --minibatch 256 --quiet"));
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert_eq!(
            ended.stdout.lines().count(),
            1,
            "one verdict: {}",
            ended.stdout
        );
        let expected = format!("{task} uniform coordconv seed 1: train ");
        assert!(ended.stdout.starts_with(&expected), "{}", ended.stdout);
        for part in [&format!("{parameters} parameters"), "| paper: "] {
            assert!(ended.stdout.contains(part), "{}", ended.stdout);
        }
        let variant = place
            .path()
            .join(format!("runs/toys/{task}/uniform-coordconv"));
        let dir = fs::read_dir(variant)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let epochs = read(&dir.join("epochs.csv"));
        assert_eq!(epochs.lines().count(), 3, "{epochs}");
        let has_test_examples = dir.join("pictures/test_examples.png").is_file();
        assert_eq!(has_test_examples, task != "regression");
        for file in [
            "plan.toml",
            "summary.json",
            "pictures/examples.svg",
            "pictures/examples.png",
            "pictures/predictions.svg",
            "pictures/predictions.png",
        ] {
            assert!(dir.join(file).is_file(), "{file}");
        }
    }
}

#[test]
fn a_coordconv_classifier_learns_both_splits() {
    let place = Workplace::new();
    for split in ["uniform", "quadrant"] {
        let ended = place.rlrun(&format!(
            "toy classification --split {split} --epochs 5 --quiet"
        ));
        let best = "best 100.0%";
        assert!(
            ended.stdout.contains(best),
            "{}{}",
            ended.stdout,
            ended.stderr
        );
    }
}

#[test]
fn a_sweep_does_nothing_twice() {
    let place = Workplace::new();
    place.write("grid.toml", GRID);
    let first = place.rlrun("toy sweep --grid grid.toml --dir sweep");
    assert_eq!(first.status, Some(0), "{}", first.stderr);
    let results = read(&place.path().join("sweep/results.csv"));
    assert_eq!(results.lines().count(), 4, "{results}");
    assert!(
        place
            .path()
            .join("sweep/pictures/rendering-time.png")
            .is_file()
    );
    let again = place.rlrun("toy sweep --grid grid.toml --dir sweep");
    assert!(
        again.stderr.contains("3 of 3 trainings are done"),
        "{}",
        again.stderr
    );
    assert_eq!(read(&place.path().join("sweep/results.csv")), results);
}

#[test]
fn a_killed_sweep_goes_on_to_the_same_weights() {
    let grid = GRID.replace("[1]\n", "[4]\n");
    let (whole, killed) = (Workplace::new(), Workplace::new());
    for place in [&whole, &killed] {
        place.write("grid.toml", &grid);
    }
    let words = "toy sweep --grid grid.toml --dir sweep --workers 1";
    assert_eq!(whole.rlrun(words).status, Some(0));

    let mut command = killed.command(words);
    let mut child: Child = command
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let first = killed.path().join("sweep/regression/uniform-coordconv");
    let begun = Instant::now();
    while fs::read_dir(&first).map_or(0, Iterator::count) < 2 {
        assert!(
            begun.elapsed() < Duration::from_mins(1),
            "the second training never began"
        );
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let ended = killed.rlrun(words);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(
        !ended.stderr.contains("0 of 3"),
        "the first is not done twice: {}",
        ended.stderr
    );
    assert_eq!(weights(&killed), weights(&whole));
}

/// The last column of a sweep's table: the SHA-256 of each training's weights, in the order of the grid.
fn weights(place: &Workplace) -> Vec<String> {
    let results = read(&place.path().join("sweep/results.csv"));
    let rows = results.lines().skip(1);
    rows.filter_map(|row| row.rsplit(',').next())
        .map(str::to_owned)
        .collect()
}

/// The summaries of a sweep's trainings of regression, with the time each was written.
fn summaries(place: &Workplace) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    let variants = fs::read_dir(place.path().join("sweep/regression"));
    for variant in variants.into_iter().flatten().flatten() {
        for run in fs::read_dir(variant.path()).into_iter().flatten().flatten() {
            let path = run.path().join("summary.json");
            if let Ok(written) = fs::metadata(&path).and_then(|file| file.modified()) {
                found.insert(path, written);
            }
        }
    }
    found
}

#[test]
fn a_sweep_that_is_stopped_again_and_again_does_nothing_twice() {
    let grid = GRID
        .replace("[\"uniform\"]", "[\"uniform\", \"quadrant\"]")
        .replace("[1]\n", "[4]\n");
    let (whole, stopped) = (Workplace::new(), Workplace::new());
    for place in [&whole, &stopped] {
        place.write("grid.toml", &grid);
    }
    let words = "toy sweep --grid grid.toml --dir sweep --workers 3";
    assert_eq!(whole.rlrun(words).status, Some(0));

    let mut done = summaries(&stopped);
    for (n_done, signal) in [(1, "-KILL"), (2, "-INT"), (4, "-KILL"), (5, "-INT")] {
        let mut child = stopped.command(words);
        let child = child.stderr(Stdio::null()).stdout(Stdio::null());
        let mut child = child.spawn().unwrap();
        while summaries(&stopped).len() < n_done && child.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        let pid = child.id().to_string();
        let _ = Command::new("kill").args([signal, &pid]).status();
        child.wait().unwrap();
        let now = summaries(&stopped);
        for (path, written) in &done {
            assert_eq!(now.get(path), Some(written), "{} again", path.display());
        }
        done = now;
    }
    let ended = stopped.rlrun(words);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(weights(&stopped), weights(&whole));
    let now = summaries(&stopped);
    assert!(done.iter().all(|(path, written)| now[path] == *written));
}

/// Runs the program with a limit on the size of each file, which stands in for a full disk.
fn rlrun_on_a_full_disk(place: &Workplace, words: &str) -> Ended {
    let script = format!(
        "trap '' XFSZ; ulimit -f 64; exec {} {words}",
        env!("CARGO_BIN_EXE_rlrun")
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(place.path());
    Ended::from(command.output().expect("bash starts"))
}

#[test]
fn a_full_disk_ends_a_training_with_its_verdict_and_it_goes_on_when_there_is_room() {
    let place = Workplace::new();
    let ended = rlrun_on_a_full_disk(&place, "toy regression --epochs 1 --quiet");
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    assert!(ended.stdout.is_empty(), "{}", ended.stdout);
    let line = |start: &str| {
        let found = ended.stderr.lines().find(|line| line.starts_with(start));
        found
            .unwrap_or_else(|| panic!("{}", ended.stderr))
            .to_owned()
    };
    let verdict = line("warning: not saved: regression uniform coordconv");
    let error = line("error: the training reached its end, but the result is not saved");
    assert_eq!(error.matches("File too large").count(), 1, "{error}");
    let (_, resume) = error.split_once("with: rlrun ").unwrap();
    let ended = place.rlrun(&format!("{} --quiet", resume.split(": ").next().unwrap()));
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let metrics = |verdict: &str| verdict.split(" | ").next().unwrap().to_owned();
    let before = metrics(verdict.trim_start_matches("warning: not saved: "));
    assert_eq!(metrics(&ended.stdout), before);
}

#[test]
fn a_sweep_goes_on_after_a_full_disk() {
    let place = Workplace::new();
    place.write("grid.toml", GRID);
    let words = "toy sweep --grid grid.toml --dir sweep";
    let full = rlrun_on_a_full_disk(&place, words);
    assert_eq!(full.status, Some(1), "{}", full.stderr);
    assert!(
        full.stderr.contains("3 of 3 trainings failed"),
        "{}",
        full.stderr
    );
    let ended = place.rlrun(words);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(weights(&place).len(), 3);
}

#[test]
fn what_is_missing_in_a_sweep_is_made_again_or_told_and_nothing_of_value_is_removed() {
    let place = Workplace::new();
    place.write("grid.toml", &GRID.replace("[1, 2, 3]", "[1]"));
    let words = "toy sweep --grid grid.toml --dir sweep";
    let check = |status: i32, message: &str| {
        let ended = place.rlrun(words);
        assert_eq!(ended.status, Some(status), "{}", ended.stderr);
        assert!(ended.stderr.contains(message), "{}", ended.stderr);
    };
    check(0, "0 of 1 trainings are done");
    let first = weights(&place);
    let summary = summaries(&place).into_keys().next().unwrap();
    let dir = summary.parent().unwrap();

    fs::remove_file(dir.join("plan.toml")).unwrap();
    fs::remove_file(&summary).unwrap();
    check(0, "0 of 1 trainings are done");
    assert!(dir.join("plan.toml").is_file());
    assert_eq!(weights(&place), first);

    fs::remove_file(dir.join("epochs.csv")).unwrap();
    check(0, "a curve is left out");

    fs::remove_file(&summary).unwrap();
    fs::remove_dir_all(dir.join("checkpoints")).unwrap();
    check(
        1,
        "has no checkpoint to go on from, but pictures; move it away",
    );
    assert!(dir.join("pictures/predictions.png").is_file());

    fs::remove_dir_all(dir.join("pictures")).unwrap();
    check(0, "1/1 regression uniform coordconv seed 1");
    assert_eq!(weights(&place), first);
}

#[test]
fn an_edited_plan_is_refused_and_a_finished_training_only_tells_its_verdict() {
    let place = Workplace::new();
    let ended = place.rlrun("toy regression --epochs 1 --quiet --runs r");
    let verdict = ended.stdout;
    let variant = place.path().join("r/regression/uniform-coordconv");
    let dir = fs::read_dir(variant)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let words = format!("toy resume {} --quiet", dir.display());
    assert_eq!(place.rlrun(&words).stdout, verdict);
    let plan = read(&dir.join("plan.toml"));
    fs::write(
        dir.join("plan.toml"),
        plan.replace("epochs = 1", "epochs = 2"),
    )
    .unwrap();
    let ended = place.rlrun(&words);
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    let message = "is not the plan that its checkpoint was made by";
    assert!(ended.stderr.contains(message), "{}", ended.stderr);
}
