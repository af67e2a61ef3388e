//! Imports of the event files that `events/make_events.py` wrote, whole and cut.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

const CLEANRL: &str = "BreakoutNoFrameskip-v4__dqn_atari__3__1700000000";
const SB3: &str = "MsPacmanNoFrameskip-v4_2";
const FILE: &str = "events.out.tfevents.1700000000.machine.1.0";

fn events() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/gather/events")
}

fn imported(text: &str) -> Result<Gathered, RequestError> {
    gather(&[], &[Import::parse(text)?])
}

#[test]
fn cleanrl_and_sb3_are_read_with_what_their_folders_tell() {
    let got = imported(&format!("theirs={}", events().display())).unwrap();
    assert_eq!(got.left_out, []);
    let [cleanrl, sb3] = &got.runs[..] else {
        panic!("{:?}", got.runs);
    };
    let of = |run: &Run| {
        (
            run.game.clone(),
            run.seed,
            run.protocol,
            run.steps,
            run.variant.clone(),
        )
    };
    let expected = |game: &str, seed, steps| {
        (
            game.to_owned(),
            seed,
            ProtocolName::Baselines,
            steps,
            "theirs".to_owned(),
        )
    };
    assert_eq!(of(cleanrl), expected("Breakout", 3, 2_000));
    assert_eq!(of(sb3), expected("MsPacman", 2, 1_600));
    let games: Vec<(u64, f64)> = (1..=40_u32)
        .map(|game| (u64::from(50 * game), f64::from(game % 7)))
        .collect();
    assert_eq!(cleanrl.history, History::Games(games));
    let means: Vec<(u64, f64)> = (1..=20_u32)
        .map(|n| (u64::from(80 * n), f64::from(200 + 5 * n)))
        .collect();
    assert_eq!(sb3.history, History::Means(means));
    assert_eq!(cleanrl.wall_seconds, Some(19.5));
}

#[test]
fn what_is_given_counts_more_than_the_names() {
    let path = events().join(CLEANRL).join(FILE);
    let text = format!(
        "a={},game=ms_pacman,seed=9,protocol=machado",
        path.display()
    );
    let run = imported(&text).unwrap().runs.remove(0);
    assert_eq!(
        (run.game.as_str(), run.seed, run.protocol),
        ("MsPacman", 9, ProtocolName::Machado)
    );
}

#[test]
fn a_file_cut_off_anywhere_is_used_up_to_the_cut_and_said_to_be() {
    let whole = fs::read(events().join(SB3).join(FILE)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(SB3);
    fs::create_dir(&folder).unwrap();
    let text = format!("sb3={}", folder.display());
    let mut n_points_before = 0;
    for length in (0..whole.len()).step_by(7) {
        fs::write(folder.join(FILE), &whole[..length]).unwrap();
        let mut got = imported(&text).unwrap();
        let Some(run) = got.runs.pop() else {
            assert!(
                got.left_out[0].why.contains("have neither"),
                "{:?}",
                got.left_out
            );
            continue;
        };
        let n_points = run.history.points().len();
        assert!(n_points >= n_points_before, "cut at {length}");
        n_points_before = n_points;
        let is_said = run
            .notes
            .iter()
            .any(|note| note.contains("cut off or damaged"));
        let is_between_records = event_scalars_left(&whole[..length]) == 0;
        assert_eq!(
            is_said, !is_between_records,
            "cut at {length}: {:?}",
            run.notes
        );
    }
    assert_eq!(n_points_before, 19);
}

fn event_scalars_left(contents: &[u8]) -> usize {
    let mut records = crate::run::event_records::Records::new(contents);
    while records.next().is_some() {}
    records.n_bytes_left()
}

#[test]
fn what_nothing_tells_has_to_be_given() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("mine");
    let text = format!("mine={}", folder.display());
    fs::create_dir(&folder).unwrap();
    let refused = |text: &str, expected: &str| {
        let error = imported(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(&text, "there is no event file");
    fs::copy(events().join(CLEANRL).join(FILE), folder.join(FILE)).unwrap();
    refused(&text, "add it: --import NAME=PATH,game=Breakout");
    refused(&format!("{text},game=Pong"), "NAME=PATH,protocol=baselines");
    let run = imported(&format!("{text},game=Pong,protocol=baselines"))
        .unwrap()
        .runs
        .remove(0);
    assert_eq!((run.game.as_str(), run.seed), ("Pong", 1));
    assert!(run.notes[0].contains("tells no seed"), "{:?}", run.notes);
}
