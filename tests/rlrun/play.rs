//! `rlrun play` from end to end.

use std::fs;
use std::path::Path;

use crate::program::{Ended, Workplace};

/// The run of an agent that has hardly learned.
fn trained(game: &str) -> Workplace {
    let here = Workplace::new();
    let words =
        format!("--game {game} --agent a2c --steps 320 --envs 4 --threads 1 --name r --quiet");
    let ended = here.rlrun(&words);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    here
}

fn assert_done(ended: &Ended) {
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

fn assert_refused(ended: &Ended, expected: &str) {
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.stderr.contains(expected), "{ended:?}");
}

/// Width and height that a GIF says of itself.
fn gif_size(path: &Path) -> (u16, u16) {
    let bytes = fs::read(path).expect("a file");
    assert!(bytes.starts_with(b"GIF89a") && bytes.ends_with(b";"));
    let number = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    (number(6), number(8))
}

/// Whether a file has these parts of an MP4.
fn is_mp4(path: &Path) -> bool {
    let bytes = fs::read(path).expect("a file");
    let has = |part: &[u8]| bytes.windows(4).any(|window| window == part);
    bytes[4..8] == *b"ftyp"
        && [b"moov", b"mdat", b"avc1", b"avcC"]
            .iter()
            .all(|part| has(*part))
}

/// Number, score and length of each game in the table of an evaluation.
fn games(table: &Path) -> Vec<(String, String, String)> {
    let text = fs::read_to_string(table).expect("a table");
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let [game, _, _, score, length] = cells[..] else {
            panic!("{line}")
        };
        (game.to_owned(), score.to_owned(), length.to_owned())
    };
    text.lines().skip(1).map(row).collect()
}

#[test]
fn a_video_shows_the_game_of_an_evaluation_that_is_asked_for() {
    let here = trained("Breakout");
    let run = "runs/Breakout/a2c-conv/r";
    let ended = here.rlrun(&format!("eval {run} --seed 4 --games 5 --envs 2 --out e"));
    assert_done(&ended);
    let games = games(&here.path().join("e/step-320-stochastic-seed4-5games.csv"));
    assert_eq!(games.len(), 5);
    let play = |more: &str| {
        let ended = here.rlrun(&format!("play {run} --seed 4 {more}"));
        assert_done(&ended);
        assert!(ended.stdout.contains("game over"), "{ended:?}");
        ended.stdout
    };
    for (number, score, length) in [&games[0], &games[3], &games[4]] {
        let said = play(&format!("--game-number {number} --scale 1"));
        let words = format!("game {number} of seed 4: score {score} in {length} steps");
        assert!(said.contains(&words), "{words}: {said}");
        let video = format!("videos/step-320-stochastic-seed4-game{number}.mp4");
        assert!(is_mp4(&here.path().join(run).join(video)));
    }
    // Without a number it is the first; and the evaluation says how its best one is watched.
    let (_, score, length) = &games[0];
    assert!(play("--scale 1").contains(&format!("score {score} in {length} steps")));
    let value = |score: &str| score.parse::<f64>().expect("a score");
    let best = games
        .iter()
        .map(|game| value(&game.1))
        .fold(f64::MIN, f64::max);
    let (number, score, length) = games
        .iter()
        .find(|game| value(&game.1) >= best)
        .expect("there is one");
    assert!(
        ended
            .stdout
            .contains(&format!("best: game {number} with {score};"))
    );
    let (_, command) = ended.stdout.split_once("\nrlrun ").expect("a command");
    let said = here.rlrun(&format!("{} --scale 1", command.trim_end()));
    assert_done(&said);
    let words = format!("score {score} in {length} steps");
    assert!(said.stdout.contains(&words), "{words}: {said:?}");
}

#[test]
fn gifs_have_the_size_that_was_asked_for_and_panel_and_saliency_change_the_picture() {
    let here = trained("MsPacman");
    let play = |out: &str, more: &str| {
        let words =
            format!("play runs/MsPacman/a2c-conv/r --max-steps 6 --out {out} --quiet {more}");
        let ended = here.rlrun(&words);
        assert_done(&ended);
        assert_eq!(ended.stdout, "");
        here.path().join(out)
    };
    let plain = play("a.gif", "");
    assert_eq!(gif_size(&plain), (320, 448));
    assert_eq!(gif_size(&play("b.gif", "--panel")), (560, 420));
    assert_eq!(gif_size(&play("c.gif", "--scale 1")), (160, 224));
    let again = fs::read(play("d.gif", "")).expect("a file");
    assert_eq!(again, fs::read(&plain).expect("a file"));
    let shaded = fs::read(play("e.gif", "--saliency")).expect("a file");
    assert_ne!(shaded, again);
    assert!(is_mp4(&play("folder/f.mp4", "--panel --saliency")));
}

#[test]
fn a_game_in_the_terminal_is_drawn_and_leaves_the_terminal_as_it_was() {
    let here = trained("Pong");
    let words = "play runs/Pong/a2c-conv/r --terminal --max-steps 8";
    assert_refused(&here.rlrun(words), "standard output is no terminal");
    let ended = here.rlrun(&format!("{words} --force-terminal"));
    assert_done(&ended);
    let stdout = &ended.stdout;
    assert!(stdout.starts_with("\x1b[?1049h\x1b[?25l"), "{stdout:?}");
    // Nine pictures, of which each begins in the upper left corner.
    assert_eq!(stdout.matches("\x1b[H").count(), 9);
    assert!(stdout.contains('\u{2580}') && stdout.contains("step 7"));
    let (_, after) = stdout
        .split_once("\x1b[?25h\x1b[?1049l")
        .expect("it is given back");
    assert!(
        after.contains("8 steps, as far as --max-steps"),
        "{after:?}"
    );
    assert!(!here.path().join("runs/Pong/a2c-conv/r/videos").exists());
}

#[test]
fn wrong_requests_are_refused_and_leave_nothing() {
    let here = trained("Pong");
    let run = "runs/Pong/a2c-conv/r";
    let refused = |words: &str, expected: &str| assert_refused(&here.rlrun(words), expected);
    refused("play nowhere", "nowhere: no run folder");
    refused(&format!("play {run} --out a.avi"), "ends in .mp4 or .gif");
    refused(
        &format!("play {run} --out a.gif --scale 1 --panel"),
        "from 2 on",
    );
    refused(&format!("play {run} --scale 9"), "--scale");
    refused(&format!("play {run} --max-steps 0"), "at least 1");
    refused(
        &format!("play {run} --game-number 1M"),
        "at most a million games",
    );
    refused(&format!("play {run} --game-number best"), "a whole number");
    assert_eq!(here.names(), ["runs"]);
    let here = Workplace::new();
    let words = "--game probe:lives --agent a2c --steps 400 --envs 2 --threads 1 --name r --quiet";
    assert_done(&here.rlrun(words));
    let ended = here.rlrun("play runs/probe:lives/a2c-conv/r");
    assert_refused(&ended, "probe:lives has no picture");
}
