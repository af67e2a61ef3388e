//! The scripted worlds give the answers that they promise.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rlrun_envs::{EnvError, ProbeWorld, ProtocolName};

use crate::kit::check_world;
use crate::setup::{config, start, step};

const BASELINES: ProtocolName = ProtocolName::Baselines;

/// Plays the best action in one environment and returns (reward, terminated, truncated, game over) of each step.
fn play_best(
    probe: ProbeWorld,
    protocol: ProtocolName,
    n_steps: usize,
) -> Vec<(f32, bool, bool, bool)> {
    let (mut env, mut batch) = start(&config(probe.name(), protocol, 1), &[5]);
    (0..n_steps)
        .map(|_| {
            let action = probe.best_action(&batch.obs);
            step(env.as_mut(), &[action], &mut batch);
            (
                batch.reward[0],
                batch.terminated[0],
                batch.truncated[0],
                batch.game_over[0],
            )
        })
        .collect()
}

/// Rewards and the steps (from 1) at which the first game's returns end.
fn check(
    probe: ProbeWorld,
    rewards: &[f32],
    terminated_at: &[usize],
    truncated_at: &[usize],
    game_over_at: &[usize],
) {
    let steps = play_best(probe, BASELINES, rewards.len());
    for (step_idx, &(reward, terminated, truncated, game_over)) in (1..).zip(&steps) {
        let name = probe.name();
        assert!(
            (reward - rewards[step_idx - 1]).abs() < 1e-6,
            "{name}: reward of step {step_idx}: {reward}"
        );
        assert_eq!(
            terminated,
            terminated_at.contains(&step_idx),
            "{name}: terminated at step {step_idx}"
        );
        assert_eq!(
            truncated,
            truncated_at.contains(&step_idx),
            "{name}: truncated at step {step_idx}"
        );
        assert_eq!(
            game_over,
            game_over_at.contains(&step_idx),
            "{name}: game over at step {step_idx}"
        );
    }
}

#[test]
fn every_sound_probe_keeps_the_rules_of_the_trait() {
    for probe in ProbeWorld::ALL {
        check_world(&config(probe.name(), BASELINES, 1), 24);
        check_world(&config(probe.name(), ProtocolName::Machado, 1), 24);
    }
}

#[test]
fn the_probes_pay_and_end_as_their_table_says() {
    check(ProbeWorld::Constant, &[1.0; 3], &[1, 2, 3], &[], &[1, 2, 3]);
    check(
        ProbeWorld::Delayed,
        &[0.0, 1.0, 0.0, 1.0],
        &[2, 4],
        &[],
        &[2, 4],
    );
    check(ProbeWorld::Action, &[1.0; 2], &[1, 2], &[], &[1, 2]);
    check(
        ProbeWorld::Sign,
        &[1.0; 4],
        &[1, 2, 3, 4],
        &[],
        &[1, 2, 3, 4],
    );
    check(ProbeWorld::Position, &[1.0; 16], &[8, 16], &[], &[8, 16]);
    check(ProbeWorld::Truncated, &[1.0; 10], &[], &[5, 10], &[5, 10]);
    check(ProbeWorld::Terminated, &[1.0; 10], &[5, 10], &[], &[5, 10]);
    check(
        ProbeWorld::Lives,
        &[1.0; 12],
        &[2, 4, 6, 8, 10, 12],
        &[],
        &[6, 12],
    );
}

#[test]
fn a_lost_life_ends_no_return_where_the_protocol_says_so() {
    let steps = play_best(ProbeWorld::Lives, ProtocolName::Machado, 6);
    let terminated: Vec<bool> = steps.iter().map(|step| step.1).collect();
    assert_eq!(terminated, [false, false, false, false, false, true]);
}

#[test]
fn lives_count_down_and_are_those_of_the_next_game_after_a_game_over() {
    let (mut env, mut batch) = start(&config("probe:lives", BASELINES, 1), &[0]);
    let mut lives = vec![batch.lives[0]];
    for _ in 0..6 {
        step(env.as_mut(), &[0], &mut batch);
        lives.push(batch.lives[0]);
    }
    assert_eq!(lives, [3, 3, 2, 2, 1, 1, 3]);
}

#[test]
fn the_last_picture_of_a_truncated_game_is_not_the_first_of_the_next() {
    let (mut env, mut batch) = start(&config("probe:truncated", BASELINES, 1), &[0]);
    for _ in 0..5 {
        step(env.as_mut(), &[0], &mut batch);
    }
    assert!(batch.truncated[0]);
    assert!(batch.final_obs.iter().all(|&pixel| pixel == 250));
    assert!(batch.obs.iter().all(|&pixel| pixel == 0));
}

#[test]
fn the_square_of_the_position_probe_visits_all_quadrants_and_only_the_right_action_pays() {
    let (mut env, mut batch) = start(&config("probe:position", BASELINES, 1), &[3]);
    let mut n_seen = [0; 4];
    for step_idx in 0..400_u32 {
        let best = ProbeWorld::Position.best_action(&batch.obs);
        let brightness: u32 = batch.obs.iter().map(|&pixel| u32::from(pixel)).sum();
        assert_eq!(brightness, 36 * 255);
        n_seen[usize::from(best)] += 1;
        let action = u8::try_from(step_idx % 4).unwrap();
        step(env.as_mut(), &[action], &mut batch);
        assert_eq!(batch.reward[0] > 0.5, action == best);
    }
    assert!(n_seen.iter().all(|&n| n > 60), "{n_seen:?}");
}

#[test]
fn both_pictures_of_the_sign_probe_come_up() {
    let (mut env, mut batch) = start(&config("probe:sign", BASELINES, 2), &[1, 2]);
    let mut n_bright = 0;
    for _ in 0..200 {
        let best = ProbeWorld::Sign.best_action(&batch.obs[..36 * 36]);
        n_bright += u32::from(best);
        step(env.as_mut(), &[1, 0], &mut batch);
        assert_eq!(batch.reward[0] > 0.0, best == 1);
    }
    assert!((60..140).contains(&n_bright), "{n_bright} of 200");
}

#[test]
fn probe_fails_fails_at_its_50th_step_and_works_again_after_reset() {
    let (mut env, mut batch) = start(&config("probe:fails", BASELINES, 2), &[1, 2]);
    for _ in 0..49 {
        step(env.as_mut(), &[0, 0], &mut batch);
    }
    env.send(&[0, 0]).unwrap();
    let error = env.recv(&mut batch).unwrap_err();
    assert!(
        matches!(error, EnvError::ProbeFails { step: 50 }),
        "{error}"
    );
    assert!(env.send(&[0, 0]).is_err(), "a failed batch needs a reset");
    env.reset(&[1, 2], &mut batch).unwrap();
    step(env.as_mut(), &[0, 0], &mut batch);
}

#[test]
fn probe_panics_panics_at_its_50th_step() {
    let (mut env, mut batch) = start(&config("probe:panics", BASELINES, 1), &[1]);
    for _ in 0..49 {
        step(env.as_mut(), &[0], &mut batch);
    }
    env.send(&[0]).unwrap();
    let caught = catch_unwind(AssertUnwindSafe(|| env.recv(&mut batch)));
    assert!(caught.is_err());
}
