//! Environments that are brought back to where they were.

use rlrun_envs::{
    BatchEnv as _, EnvConfig, EnvError, ProtocolName, RecordedBatch, Recording, StepBatch, Stretch,
    env_seed, make,
};

use crate::scripted_player::{action, row};
use crate::setup::config;

use ProtocolName::{Baselines, Machado};

/// A batch of three that is reseeded often, reset.
fn begin(config: &EnvConfig) -> (RecordedBatch, StepBatch) {
    let rule = |n_earlier: u64, env| env_seed(5 + n_earlier, env);
    let mut env = RecordedBatch::new(make(config).unwrap(), 30, Box::new(rule));
    let mut batch = StepBatch::new(env.spec());
    let seeds: Vec<u32> = (0..config.n_envs).map(|env| rule(0, env)).collect();
    env.reset(&seeds, &mut batch).unwrap();
    (env, batch)
}

fn play(env: &mut RecordedBatch, batch: &mut StepBatch, steps: std::ops::Range<u64>) {
    let spec = *env.spec();
    for step in steps {
        let actions: Vec<u8> = (0..spec.n_envs)
            .map(|env_idx| action(env_seed(1, env_idx), step, spec.n_actions))
            .collect();
        env.send(&actions).unwrap();
        env.recv(batch).unwrap();
    }
}

/// Plays, rebuilds another batch from the recordings, and goes on with both.
fn check_rebuilds(config: &EnvConfig, n_steps: u64) {
    let config = EnvConfig {
        n_envs: 3,
        ..config.clone()
    };
    let (mut env, mut batch) = begin(&config);
    play(&mut env, &mut batch, 0..n_steps);
    let recordings = env.recordings().snapshot();
    let n_resets: u64 = recordings.iter().map(|past| past.n_earlier_resets).sum();
    assert!(n_resets > 0, "no game ended, so none was reseeded");

    let (mut twin, mut twin_batch) = begin(&config);
    play(&mut twin, &mut twin_batch, 0..7);
    let games = twin
        .rebuild(recordings.clone(), &mut twin_batch, || true)
        .unwrap();
    assert_eq!(twin.recordings().snapshot(), recordings);
    assert_eq!(
        (&twin_batch.obs, &twin_batch.lives),
        (&batch.obs, &batch.lives)
    );
    for (game, past) in games.iter().zip(&recordings) {
        assert!(game.length_steps <= past.actions.len() as u64);
    }
    for step in n_steps..n_steps + 200 {
        play(&mut env, &mut batch, step..step + 1);
        play(&mut twin, &mut twin_batch, step..step + 1);
        for env_idx in 0..config.n_envs {
            assert!(
                row(&batch, env_idx) == row(&twin_batch, env_idx),
                "environment {env_idx} differs at step {step}"
            );
        }
    }
    assert_eq!(env.recordings().snapshot(), twin.recordings().snapshot());

    let mut forged = recordings.clone();
    forged[1].digest ^= 1;
    let error = twin.rebuild(forged, &mut twin_batch, || true).unwrap_err();
    assert!(
        error.to_string().starts_with("environment 1 does not"),
        "{error}"
    );
    let mut left = 5;
    let go_on = || {
        left -= 1;
        left > 0
    };
    let stopped = twin.rebuild(recordings.clone(), &mut twin_batch, go_on);
    assert!(matches!(stopped, Err(EnvError::Stopped)));
    let error = twin.rebuild(recordings[1..].to_vec(), &mut twin_batch, || true);
    assert_eq!(
        error.unwrap_err().to_string(),
        "recordings: expected 3 elements, got 2"
    );
}

#[test]
fn what_was_marked_is_there_whatever_came_after() {
    let config = EnvConfig {
        n_envs: 3,
        ..config("probe:truncated", Baselines, 1)
    };
    let (mut env, mut batch) = begin(&config);
    let recordings = env.recordings();
    assert_eq!(recordings.marked(), recordings.snapshot());
    for n_steps in [7, 29, 64, 200] {
        play(&mut env, &mut batch, 0..n_steps);
        recordings.mark();
        let there = recordings.snapshot();
        assert_eq!(recordings.marked(), there);
        // A step that is never received, further steps, and many resets with new seeds.
        env.send(&[0; 3]).unwrap();
        assert_eq!(recordings.marked(), there);
        env.recv(&mut batch).unwrap();
        play(&mut env, &mut batch, 0..100);
        assert_ne!(recordings.snapshot(), there);
        assert_eq!(recordings.marked(), there);
        let (mut twin, mut twin_batch) = begin(&config);
        twin.rebuild(there.clone(), &mut twin_batch, || true)
            .unwrap();
        assert_eq!(twin.recordings().marked(), there);
    }
}

#[test]
fn breakout_is_rebuilt_and_goes_on_the_same() {
    check_rebuilds(&config("Breakout", Baselines, 1), 500);
}

#[test]
fn ms_pacman_with_sticky_actions_is_rebuilt_and_goes_on_the_same() {
    check_rebuilds(&config("MsPacman", Machado, 2), 900);
}

#[test]
fn scripted_worlds_are_rebuilt_and_go_on_the_same() {
    check_rebuilds(&config("probe:lives", Baselines, 1), 100);
    check_rebuilds(&config("probe:truncated", Baselines, 1), 100);
}

#[test]
#[cfg(feature = "classic")]
fn classics_are_rebuilt_and_go_on_the_same() {
    check_rebuilds(&config("CartPole", ProtocolName::Gym, 1), 130);
    check_rebuilds(&config("MountainCar", ProtocolName::Gym, 1), 450);
}

/// The seed and actions since the last seeded reset, from all that was ever taken.
fn end_of(taken: &[Stretch]) -> (u32, Vec<u8>) {
    let begins = taken.iter().rposition(|stretch| stretch.seed.is_some());
    let since = &taken[begins.expect("it begins with a seed")..];
    let actions = since.iter().flat_map(|stretch| stretch.actions.clone());
    (since[0].seed.expect("just found"), actions.collect())
}

#[test]
fn whoever_takes_what_is_new_gets_every_step_once_however_often_he_asks() {
    let mut config = config("probe:lives", Baselines, 1);
    config.n_envs = 3;
    let taken = |period: u64| {
        let (mut env, mut batch) = begin(&config);
        let recordings = env.recordings();
        let mut taken = vec![Vec::new(); 3];
        for step in 0..400 {
            play(&mut env, &mut batch, step..step + 1);
            if step % period == 0 || step == 399 {
                for (own, new) in taken.iter_mut().zip(recordings.take_new()) {
                    own.extend(new);
                }
            }
        }
        assert!(recordings.take_new().iter().all(Vec::is_empty));
        (taken, recordings.snapshot())
    };
    let (often, recordings) = taken(1);
    let (rarely, _) = taken(399);
    for (env, Recording { seed, actions, .. }) in recordings.into_iter().enumerate() {
        let n_steps = |taken: &[Stretch]| taken.iter().map(|s| s.actions.len()).sum::<usize>();
        let n_seeds = |taken: &[Stretch]| taken.iter().filter(|s| s.seed.is_some()).count();
        assert_eq!((n_steps(&often[env]), n_steps(&rarely[env])), (400, 400));
        assert!(n_seeds(&often[env]) > 2);
        assert_eq!(n_seeds(&often[env]), n_seeds(&rarely[env]));
        assert_eq!(end_of(&often[env]), (seed, actions.clone()));
        assert_eq!(end_of(&rarely[env]), (seed, actions));
    }
}

#[test]
fn nothing_is_new_in_a_batch_that_was_rebuilt_until_it_goes_on() {
    let mut config = config("probe:lives", Baselines, 1);
    config.n_envs = 3;
    let (mut env, mut batch) = begin(&config);
    play(&mut env, &mut batch, 0..20);
    let (mut twin, mut twin_batch) = begin(&config);
    twin.rebuild(env.recordings().snapshot(), &mut twin_batch, || true)
        .unwrap();
    let recordings = twin.recordings();
    assert!(recordings.take_new().iter().all(Vec::is_empty));
    play(&mut twin, &mut twin_batch, 20..25);
    for new in recordings.take_new() {
        assert_eq!((new.len(), new[0].seed, new[0].actions.len()), (1, None, 5));
    }
}
