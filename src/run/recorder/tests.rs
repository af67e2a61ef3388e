//! A recorder is fed by a run that is played by heart, so that every game of it is known.

mod mutations;

use std::fs;
use std::path::Path;

use super::tape::{Missing, Past, Tape};
use super::*;
use crate::run::rows::EpisodeRow;

const N_ENVS: usize = 2;
/// Games of each environment are of so many steps, and every third one is followed by a seeded reset.
const GAME: u64 = 70;
/// Steps of each environment in a round.
const ROUND: u64 = 10;

/// A run that is played by heart: what environments do depends on their own steps alone.
struct Run {
    step: u64,
}

fn action(env: usize, own_step: u64) -> u8 {
    u8::try_from((own_step * 7 + env as u64 * 3) % 18).unwrap()
}

fn seed(env: usize, own_step: u64) -> u32 {
    u32::try_from(own_step / (3 * GAME) * 100 + env as u64).unwrap()
}

impl Run {
    /// One round; what is new of each environment.
    fn advance(&mut self) -> Vec<Vec<Stretch>> {
        let first = self.step / N_ENVS as u64;
        self.step += ROUND * N_ENVS as u64;
        let stretches = |env| {
            let mut stretches: Vec<Stretch> = Vec::new();
            for own_step in first..first + ROUND {
                let seed = (own_step % (3 * GAME) == 0).then(|| seed(env, own_step));
                if seed.is_some() || stretches.is_empty() {
                    let actions = Vec::new();
                    stretches.push(Stretch { seed, actions });
                }
                let last = stretches.last_mut().unwrap();
                last.actions.push(action(env, own_step));
            }
            stretches
        };
        (0..N_ENVS).map(stretches).collect()
    }

    fn recordings(&self) -> Vec<Recording> {
        let now = self.step / N_ENVS as u64;
        let since = now - now % (3 * GAME);
        let recording = |env| Recording {
            n_earlier_resets: since / (3 * GAME),
            seed: seed(env, since),
            actions: (since..now).map(|own_step| action(env, own_step)).collect(),
            digest: 0,
        };
        (0..N_ENVS).map(recording).collect()
    }
}

fn game(env: usize, number: u64) -> EpisodeRow {
    EpisodeRow {
        episode: 0,
        step: (number + 1) * GAME * N_ENVS as u64,
        env,
        score: 0.0,
        length_steps: GAME,
        length_frames: 0,
        wall_seconds: 0.0,
    }
}

fn check_past(tape: &Tape, env: usize, number: u64) {
    let first = number * GAME;
    let since = first - first % (3 * GAME);
    let actions = |steps: std::ops::Range<u64>| -> Vec<u8> {
        steps.map(|own_step| action(env, own_step)).collect()
    };
    let expected = Past {
        seed: seed(env, since),
        before: &actions(since..first),
        game: &actions(first..first + GAME),
    };
    assert_eq!(
        tape.past_of(&game(env, number)),
        Ok(expected),
        "game {number} of {env}"
    );
}

/// Trains up to `last`, with a checkpoint every `period` rounds; the tail of the last one and its step.
fn train(run: &mut Run, recorder: &mut Recorder, last: u64, period: u64) -> (u64, Vec<u8>) {
    let screen = Screen::quiet();
    let mut saved = (run.step, recorder.tail().unwrap());
    while run.step < last {
        let news = run.advance();
        if recorder.is_due(run.step) {
            recorder.add(news, run.step);
            recorder.write_block(&screen);
        } else {
            recorder.add(news, run.step);
        }
        if (run.step / (ROUND * N_ENVS as u64)).is_multiple_of(period) {
            saved = (run.step, recorder.tail().unwrap());
        }
    }
    saved
}

fn read(path: &Path) -> Tape {
    Tape::read(path, N_ENVS).unwrap().expect("there is a file")
}

fn resume(path: &Path, (step, tail): &(u64, Vec<u8>)) -> (Run, Recorder) {
    let run = Run { step: *step };
    let recordings = run.recordings();
    let screen = Screen::quiet();
    let recorder = Recorder::resume(path.to_owned(), *step, Some(tail), &recordings, &screen);
    (run, recorder.unwrap())
}

fn new(path: &Path) -> (Run, Recorder) {
    (Run { step: 0 }, Recorder::create(path.to_owned(), N_ENVS))
}

const N_STEPS: u64 = 20_160;

/// The file of a run that was never interrupted.
fn whole(path: &Path) -> Vec<u8> {
    let (mut run, mut recorder) = new(path);
    train(&mut run, &mut recorder, N_STEPS, 1_000_000);
    recorder.close(&Screen::quiet());
    fs::read(path).unwrap()
}

#[test]
fn every_game_is_found_with_what_led_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recorder.bin");
    whole(&path);
    let tape = read(&path);
    assert_eq!((tape.last_step(), tape.damage()), (N_STEPS, &[][..]));
    let n_games = N_STEPS / GAME / N_ENVS as u64;
    for env in 0..N_ENVS {
        (0..n_games).for_each(|number| check_past(&tape, env, number));
    }
    let later = tape.past_of(&game(0, n_games));
    assert_eq!(later, Err(Missing::NotYetWritten));
    assert_eq!(tape.past_of(&game(N_ENVS, 0)), Err(Missing::NotRecorded));
    let endless = EpisodeRow {
        length_steps: u64::MAX,
        ..game(0, 3)
    };
    assert_eq!(tape.past_of(&endless), Err(Missing::NotRecorded));
}

#[test]
fn killed_anywhere_and_resumed_the_file_is_the_uninterrupted_one() {
    let dir = tempfile::tempdir().unwrap();
    let expected = whole(&dir.path().join("whole.bin"));
    let path = dir.path().join("recorder.bin");
    for killed_at in (0..N_STEPS).step_by(1_020) {
        let (mut run, mut recorder) = new(&path);
        let saved = train(&mut run, &mut recorder, killed_at, 37);
        drop(recorder);
        let (mut run, mut recorder) = resume(&path, &saved);
        // Again before anything is written, and with a stop in between.
        let saved = train(&mut run, &mut recorder, saved.0 + 60, 1);
        recorder.close(&Screen::quiet());
        let (mut run, mut recorder) = resume(&path, &saved);
        train(&mut run, &mut recorder, N_STEPS, 41);
        recorder.close(&Screen::quiet());
        assert!(
            fs::read(&path).unwrap() == expected,
            "killed at {killed_at}"
        );
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_run_without_a_file_or_tail_is_recorded_from_its_last_seeded_resets() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recorder.bin");
    let mut run = Run { step: 5_000 };
    let recordings = run.recordings();
    let screen = Screen::quiet();
    let mut recorder =
        Recorder::resume(path.clone(), run.step, None, &recordings, &screen).unwrap();
    train(&mut run, &mut recorder, N_STEPS, 10);
    recorder.close(&screen);
    let tape = read(&path);
    let first_game = 5_000 / N_ENVS as u64 / (3 * GAME) * 3;
    for env in 0..N_ENVS {
        (first_game..N_STEPS / GAME / 2).for_each(|number| check_past(&tape, env, number));
        let before = tape.past_of(&game(env, first_game - 1));
        assert_eq!(before, Err(Missing::NotRecorded));
    }
}

#[test]
fn a_lost_block_costs_the_games_up_to_the_next_seeded_resets_and_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recorder.bin");
    let mut bytes = whole(&path);
    let blocks = file::parts_of(&bytes);
    let block::Part::Whole(second, _) = &blocks[1] else {
        panic!("{blocks:?}")
    };
    bytes[second.start + 40] ^= 1;
    fs::write(&path, bytes).unwrap();
    let tape = read(&path);
    assert_eq!(tape.damage(), std::slice::from_ref(second));
    let [mut n_lost, mut n_left] = [0, 0];
    for number in 0..N_STEPS / GAME / 2 {
        if tape.past_of(&game(1, number)).is_ok() {
            check_past(&tape, 1, number);
            n_left += 1;
        } else {
            n_lost += 1;
        }
    }
    // 4,096 steps are 29 games of one environment, and at most 5 more stand between two resets.
    assert!((29..=29 + 6).contains(&n_lost), "{n_lost}");
    assert!(n_left > 100, "{n_left}");
}

#[test]
fn what_a_failed_run_did_beyond_its_steps_is_left_out_and_a_resume_begins_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recorder.bin");
    let (mut run, mut recorder) = new(&path);
    train(&mut run, &mut recorder, 1_400, 10);
    let step = run.step;
    let mut news = run.advance();
    news[1].clear();
    recorder.add(news, step);
    assert_eq!(recorder.tail(), None);
    recorder.close(&Screen::quiet());
    let tape = read(&path);
    assert_eq!(tape.last_step(), step);
    (0..10).for_each(|number| check_past(&tape, 0, number));

    // The first environment has come 10 steps further than the run's steps say.
    let mut recordings = Run { step }.recordings();
    recordings[0].actions.extend(0..10);
    let screen = Screen::quiet();
    let recorder = Recorder::resume(path, step, None, &recordings, &screen).unwrap();
    assert_eq!(recorder.lanes[0].end(), own_steps(step, N_ENVS));
    assert!(recorder.tail().is_some());
}

#[test]
fn a_byte_a_step_before_compression_and_about_half_of_it_after() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recorder.bin");
    let mut recorder = Recorder::create(path.clone(), 16);
    let mut state = 1_u64;
    let n_rounds = 1_000_u32;
    let mut took = std::time::Duration::ZERO;
    for round in 1..=u64::from(n_rounds) {
        let mut news = Vec::new();
        for _ in 0..16 {
            let draw = |_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                u8::try_from((state >> 33) % 9).unwrap()
            };
            let seed = (round == 1).then_some(5);
            let actions = (0..5).map(draw).collect();
            news.push(vec![Stretch { seed, actions }]);
        }
        let start = std::time::Instant::now();
        recorder.add(news, round * 80);
        if recorder.is_due(round * 80) {
            recorder.write_block(&Screen::quiet());
        }
        took += start.elapsed();
    }
    let n_bytes = f64::from(u32::try_from(fs::metadata(&path).unwrap().len()).unwrap());
    let n_steps = f64::from(80 * n_rounds);
    println!(
        "{:.3} bytes and {:.1} ns a step",
        n_bytes / n_steps,
        took.as_secs_f64() * 1e9 / n_steps
    );
    // Nine actions at random are 3.17 bits.
    assert!((0.39..0.55).contains(&(n_bytes / n_steps)), "{n_bytes}");
}
