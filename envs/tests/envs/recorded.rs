//! Environments that are brought back to where they were.

use rlrun_envs::{
    BatchEnv as _, EnvConfig, EnvError, ProtocolName, RecordedBatch, StepBatch, env_seed, make,
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
