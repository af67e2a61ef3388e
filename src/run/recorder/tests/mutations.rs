//! Whatever happens to the file, no game is found that was not played, and a run goes on and records what follows.

use super::*;
use crate::run::trials::{mutate, trials};

/// Steps of the run at the checkpoint from which it goes on.
const SAVED_AT: u64 = 12_000;

/// Games that are found in the file; each is the one that was played.
fn n_found(path: &Path, from: u64) -> usize {
    let tape = read(path);
    let numbers = from..N_STEPS / GAME / N_ENVS as u64;
    let found = |&(env, number): &(usize, u64)| tape.past_of(&game(env, number)).is_ok();
    let games = numbers.flat_map(|number| (0..N_ENVS).map(move |env| (env, number)));
    games
        .filter(found)
        .inspect(|&(env, number)| check_past(&tape, env, number))
        .count()
}

/// The file of the same run, whose recorder began anew on the way.
fn begun_anew(path: &Path) -> Vec<u8> {
    let (mut run, screen) = (Run { step: 5_000 }, Screen::quiet());
    let recordings = run.recordings();
    let recorder = Recorder::resume(path.to_owned(), run.step, None, &recordings, &screen);
    let mut recorder = recorder.unwrap();
    train(&mut run, &mut recorder, N_STEPS, 1_000_000);
    recorder.close(&screen);
    fs::read(path).unwrap()
}

#[test]
fn a_file_that_was_changed_at_random_never_shows_a_game_that_was_not_played() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recorder.bin");
    let (mut run, mut recorder) = new(&path);
    let saved = train(&mut run, &mut recorder, SAVED_AT, 1);
    train(&mut run, &mut recorder, N_STEPS, 1_000_000);
    recorder.close(&Screen::quiet());
    let original = fs::read(&path).unwrap();
    let other = begun_anew(&dir.path().join("other.bin"));
    let n_all = n_found(&path, 0);
    assert_eq!(n_all, usize::try_from(N_STEPS / GAME).unwrap());
    // The seeded reset before the checkpoint is what the recorder begins anew with at worst.
    let surely_again = SAVED_AT / N_ENVS as u64 / (3 * GAME) * 3;
    let n_again = n_all - usize::try_from(surely_again).unwrap() * N_ENVS;
    let (n_trials, mut rng) = trials("RLRUN_MUTATIONS", 60);
    let mut n_lost = 0;
    for trial in 0..n_trials {
        let mut bytes = original.clone();
        let said = mutate(&mut bytes, &other, &mut rng);
        fs::write(&path, bytes).unwrap();
        n_lost += n_all - n_found(&path, 0);

        let (mut run, mut recorder) = resume(&path, &saved);
        train(&mut run, &mut recorder, N_STEPS, 1_000_000);
        recorder.close(&Screen::quiet());
        assert_eq!(
            n_found(&path, surely_again),
            n_again,
            "trial {trial}: {said}"
        );
        n_found(&path, 0);
    }
    assert!(n_lost > 0);
    println!("SOAK recorder files: {n_trials} trials, {n_lost} games lost, 0 faults");
}

#[test]
fn damage_before_the_checkpoint_is_named_when_a_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recorder.bin");
    let mut bytes = whole(&path);
    let first = file::PREAMBLE.len() + 50;
    bytes[first] ^= 1;
    bytes.extend([7; 9]);
    fs::write(&path, &bytes).unwrap();
    let kept = file::cut_after(&path, N_STEPS).unwrap();
    assert_eq!(kept.end, N_STEPS);
    assert_eq!(kept.damage.len(), 1, "{kept:?}");
    assert!(kept.damage[0].contains(&first), "{kept:?}");
}

/// A full disk, then a stop: at the end of the training nothing is left to be written but what the checkpoint knows.
#[test]
fn a_run_that_goes_on_at_its_end_writes_what_its_checkpoint_knows() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recorder.bin");
    let run = Run { step: 20_000 };
    let screen = Screen::quiet();
    let recorder = Recorder::resume(path.clone(), run.step, None, &run.recordings(), &screen);
    recorder.unwrap().close(&screen);
    assert!(n_found(&path, 0) > 0);
}
