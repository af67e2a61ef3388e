//! `rlrun report`: wrong requests first, then pages over made-up runs.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::program::Workplace;

const HEADER: &str = "episode,step,env,score,length_steps,length_frames,wall_seconds\n";

/// A made-up run.
struct Made<'a> {
    game: &'a str,
    torso: &'a str,
    protocol: &'a str,
    seed: u64,
    /// The score of every game.
    score: u64,
    is_finished: bool,
}

const PONG: Made<'_> = Made {
    game: "Pong",
    torso: "conv",
    protocol: "baselines",
    seed: 1,
    score: 5,
    is_finished: true,
};

impl Made<'_> {
    /// Writes the run folder below `runs`.
    fn write(&self, runs: &Path) {
        let Self {
            game,
            torso,
            protocol,
            seed,
            score,
            is_finished,
        } = self;
        let dir = runs.join(format!("{game}/a2c-{torso}/{protocol}-{seed}"));
        fs::create_dir_all(&dir).expect("the folder is writable");
        let plan = format!(
            "agent = \"a2c\"\ngame = \"{game}\"\nprotocol = \"{protocol}\"\nseed = {seed}\ntotal_steps = 4000\n\n[torso]\nkind = \"{torso}\"\n"
        );
        fs::write(dir.join("plan.toml"), plan).expect("the folder is writable");
        let mut table = HEADER.to_owned();
        for episode in 1..=40 {
            let (step, scatter) = (100 * episode, (seed + episode) % 2);
            let _ = writeln!(
                table,
                "{episode},{step},0,{},100,400,1.5",
                score + scatter + seed % 3
            );
        }
        fs::write(dir.join("episodes.csv"), table).expect("the folder is writable");
        if *is_finished {
            let summary = "{\"steps\": 4000, \"wall_seconds\": 2.0}";
            fs::write(dir.join("summary.json"), summary).expect("the folder is writable");
        }
    }
}

#[test]
fn wrong_requests_are_refused_and_nothing_is_written() {
    let place = Workplace::new();
    fs::create_dir(place.path().join("empty")).unwrap();
    place.write("file", "");
    for (words, message) in [
        ("report", "<DIR>"),
        ("report nowhere", "cannot read the folder nowhere"),
        ("report empty", "there is no run below empty"),
        ("report empty --format gif", "[possible values: svg, png]"),
        ("report empty --repeats 3", "--repeats 3: must be 100 to 1M"),
        ("report empty --steps 0", "--steps 0: must be at least 1"),
        ("report empty --import x", "write NAME=PATH"),
        ("report empty --import x=gone", "there is no gone"),
        ("report --import x=empty", "there is no event file"),
    ] {
        let ended = place.rlrun(words);
        assert_eq!(ended.status, Some(2), "{words}: {}", ended.stderr);
        assert!(ended.stderr.contains(message), "{words}: {}", ended.stderr);
    }
    PONG.write(&place.path().join("runs"));
    let ended = place.rlrun("report runs --out file");
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("file is no folder"),
        "{}",
        ended.stderr
    );
    assert_eq!(place.names(), ["empty", "file", "runs"]);
    assert!(!place.path().join("runs/report").exists());
}

#[test]
fn runs_that_cannot_be_used_are_named_and_refused_if_there_are_no_others() {
    let place = Workplace::new();
    let runs = place.path().join("runs");
    PONG.write(&runs);
    fs::write(runs.join("Pong/a2c-conv/baselines-1/episodes.csv"), HEADER).unwrap();
    let ended = place.rlrun("report runs");
    assert_eq!(ended.status, Some(2), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("no game was finished in it"),
        "{}",
        ended.stderr
    );
    Made { seed: 2, ..PONG }.write(&runs);
    let ended = place.rlrun("report runs");
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert!(
        ended
            .stdout
            .contains("left out: runs/Pong/a2c-conv/baselines-1: no game"),
        "{}",
        ended.stdout
    );
}

#[test]
fn torsos_are_compared_by_game_and_protocols_are_kept_apart() {
    let place = Workplace::new();
    let runs = place.path().join("runs");
    for seed in 1..=3 {
        for torso in ["conv", "coordconv"] {
            for (game, gain) in [("Pong", 9), ("Breakout", 0)] {
                let score = 5 + if torso == "coordconv" { gain } else { 0 };
                let made = Made {
                    game,
                    torso,
                    seed,
                    score,
                    ..PONG
                };
                made.write(&runs);
            }
        }
        let protocol = "machado";
        Made {
            protocol,
            seed,
            ..PONG
        }
        .write(&runs);
    }
    Made {
        seed: 9,
        is_finished: false,
        ..PONG
    }
    .write(&runs);
    let ended = place.rlrun("report runs --format svg,png --repeats 500");
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let said = "a2c-coordconv against a2c-conv (baselines, 2 games): better in 1, similar in 1, worse in 0.";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
    assert!(
        ended
            .stdout
            .contains("15 runs in the means and statistics, 1 drawn only"),
        "{}",
        ended.stdout
    );
    let page = fs::read_to_string(runs.join("report/index.html")).unwrap();
    for part in [
        "Protocol baselines",
        "Protocol machado",
        said,
        "stopped, after 4k steps",
        "Interquartile mean",
    ] {
        assert!(page.contains(part), "the page lacks {part}");
    }
    // Nothing on the page leads out of it.
    assert!(!page.contains("src=") && !page.contains("url(") && !page.contains("<script"));
    let mut figures: Vec<_> = fs::read_dir(runs.join("report/figures"))
        .unwrap()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    figures.sort();
    let baselines = ["Breakout", "Pong", "aggregates", "improvement", "profiles"]
        .map(|name| format!("baselines-{name}"));
    let machado = ["Pong", "aggregates", "profiles"].map(|name| format!("machado-{name}"));
    let names = baselines.iter().chain(&machado);
    let expected: Vec<String> = names
        .flat_map(|name| [format!("{name}.png"), format!("{name}.svg")])
        .collect();
    assert_eq!(figures, expected);
    // A report is made anew in place of the old one.
    let again = place.rlrun("report runs --unfinished --steps 4k --out runs/report");
    assert_eq!(again.status, Some(0), "{}", again.stderr);
    assert!(
        again.stdout.contains("16 runs in the means"),
        "{}",
        again.stdout
    );
}
