//! Imports of event files: made-up ones of `events/make_events.py`, whole and cut, and those of real runs in `real_events`.

use std::collections::BTreeMap;
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
    let expected = |game: &str, seed, steps, variant: &str| {
        (
            game.to_owned(),
            seed,
            ProtocolName::Baselines,
            steps,
            variant.to_owned(),
        )
    };
    assert_eq!(
        of(cleanrl),
        expected("Breakout", 3, 2_000, "theirs dqn_atari")
    );
    assert_eq!(of(sb3), expected("MsPacman", 2, 1_600, "theirs"));
    let games: Vec<(u64, f64)> = (1..=40_u32)
        .map(|game| (u64::from(50 * game), f64::from(game % 7)))
        .collect();
    assert_eq!(cleanrl.history, History::Games(games));
    let means: Vec<(u64, f64)> = (1..=20_u32)
        .map(|n| (u64::from(80 * n), f64::from(200 + 5 * n)))
        .collect();
    assert_eq!(sb3.history, History::Means(means));
    assert!((cleanrl.wall_seconds.unwrap() - 19.99).abs() < 1e-3);
}

fn real_events() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/report/gather/real_events")
}

/// What `real_events/read_events.py` found with TensorBoard's own reader, by folder.
type Expected = BTreeMap<String, Option<ExpectedRun>>;

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedRun {
    games: Option<Vec<(u64, f32)>>,
    means: Option<Vec<(u64, f32)>>,
    steps: u64,
    wall_seconds: f64,
}

#[test]
fn real_runs_are_read_as_tensorboard_reads_them() {
    let expected = fs::read(real_events().join("expected.json")).unwrap();
    let expected: Expected = serde_json::from_slice(&expected).unwrap();
    let got = imported(&format!("theirs={}", real_events().display())).unwrap();
    for (folder, expected) in &expected {
        let path = real_events().join(folder);
        let run = got.runs.iter().find(|run| run.path == path);
        let Some(expected) = expected else {
            let left_out = got.left_out.iter().find(|run| run.path == path).unwrap();
            assert!(left_out.why.contains("have neither"), "{}", left_out.why);
            continue;
        };
        let run = run.expect(folder);
        let exact = |points: &[(u64, f32)]| -> Vec<(u64, f64)> {
            let points = points.iter();
            points.map(|&(step, score)| (step, score.into())).collect()
        };
        let history = match (&expected.games, &expected.means) {
            (Some(games), _) => History::Games(exact(games)),
            (None, means) => History::Means(exact(means.as_ref().unwrap())),
        };
        assert_eq!(run.history, history, "{folder}");
        assert_eq!(run.steps, expected.steps, "{folder}");
        let seconds = run.wall_seconds.unwrap();
        assert!((seconds - expected.wall_seconds).abs() < 1e-6, "{folder}");
    }
    assert_eq!(got.runs.len() + got.left_out.len(), expected.len());
}

#[test]
fn names_of_real_runs_tell_what_they_are() {
    let got = imported(&format!("theirs={}", real_events().display())).unwrap();
    let told: Vec<_> = got
        .runs
        .iter()
        .map(|run| (&run.variant[..], &run.game[..], run.protocol, run.seed))
        .collect();
    let baselines = ProtocolName::Baselines;
    assert_eq!(
        told,
        [
            ("theirs ppo_atari_envpool", "Breakout", baselines, 1),
            ("theirs dqn_atari", "Breakout", baselines, 2),
            ("theirs A2C", "MsPacman", baselines, 1),
        ]
    );
    let notes = &got.runs[2].notes;
    assert!(notes[0].contains("the number of the run"), "{notes:?}");
    // Alone it is called what the user calls it.
    let alone = imported(&format!("sb3={}", real_events().join("sb3").display())).unwrap();
    assert_eq!(alone.runs[0].variant, "sb3");
}

#[test]
fn what_a_later_start_plays_again_counts_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(SB3);
    fs::create_dir(&folder).unwrap();
    let whole = fs::read(events().join(SB3).join(FILE)).unwrap();
    // The first start was killed; the second began anew.
    fs::write(folder.join(FILE), &whole[..whole.len() / 2]).unwrap();
    let later = FILE.replace("1700000000", "1700000001");
    fs::write(folder.join(later), &whole).unwrap();
    let run = imported(&format!("sb3={}", folder.display()))
        .unwrap()
        .runs
        .remove(0);
    let once = imported(&format!("sb3={}", events().join(SB3).display())).unwrap();
    assert_eq!(run.history, once.runs[0].history);
    assert!(run.notes[1].contains("a later start"), "{:?}", run.notes);
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
