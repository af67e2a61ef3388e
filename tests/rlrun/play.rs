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

#[test]
fn a_video_shows_the_first_game_of_an_evaluation() {
    let here = trained("Breakout");
    let run = "runs/Breakout/a2c-conv/r";
    let ended = here.rlrun(&format!("play {run} --seed 4"));
    assert_done(&ended);
    assert!(ended.stdout.contains("game over"), "{ended:?}");
    let video = here
        .path()
        .join(run)
        .join("videos/step-320-stochastic-seed4.mp4");
    assert!(is_mp4(&video));
    assert_done(&here.rlrun(&format!("eval {run} --seed 4 --games 1 --quiet --out e")));
    let table = here.path().join("e/step-320-stochastic-seed4-1games.csv");
    let table = fs::read_to_string(table).expect("a table");
    let row: Vec<&str> = table.lines().nth(1).expect("a game").split(',').collect();
    let words = format!("score {} in {} steps", row[3], row[4]);
    assert!(ended.stdout.contains(&words), "{words}: {ended:?}");
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
    assert_eq!(here.names(), ["runs"]);
    let here = Workplace::new();
    let words = "--game probe:lives --agent a2c --steps 400 --envs 2 --threads 1 --name r --quiet";
    assert_done(&here.rlrun(words));
    let ended = here.rlrun("play runs/probe:lives/a2c-conv/r");
    assert_refused(&ended, "probe:lives has no picture");
}
