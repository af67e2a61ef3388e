//! `rlrun toy`: wrong requests first, then short trainings, and sweeps that do nothing twice.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::program::Workplace;

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
    let weights = |place: &Workplace| {
        let results = read(&place.path().join("sweep/results.csv"));
        let last = results
            .lines()
            .skip(1)
            .map(|row| row.rsplit(',').next().unwrap().to_owned());
        last.collect::<Vec<_>>()
    };
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
