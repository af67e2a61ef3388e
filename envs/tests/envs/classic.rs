//! The classics are those of Gymnasium: every step is compared with a twin written from the definition
//! (`classic_control/cartpole.py` and `mountain_car.py`), and games start, end and repeat as they should.

use rlrun_envs::{ClassicGame, EnvConfig, ObsShape, ProtocolName, StepBatch};

use crate::kit::check_world;
use crate::setup::{config, start, step};

fn classic(game: ClassicGame, n_envs: usize) -> EnvConfig {
    config(game.name(), ProtocolName::Gym, n_envs)
}

/// The features of every environment.
fn features<const N: usize>(bytes: &[u8]) -> Vec<[f64; N]> {
    let (floats, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty());
    let floats: Vec<f64> = floats
        .iter()
        .map(|bytes| f64::from(f32::from_le_bytes(*bytes)))
        .collect();
    let (rows, rest) = floats.as_chunks::<N>();
    assert!(rest.is_empty());
    rows.to_vec()
}

fn assert_near(got: &[f64], expected: &[f64]) {
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() < 2e-6, "{got} is not {expected}");
    }
}

/// Where a cart and its pole are 0.02 s later, and whether the pole has fallen or the cart has left the track.
fn cart_pole([x, x_dot, theta, theta_dot]: [f64; 4], action: u8) -> ([f64; 4], bool) {
    let (gravity, m_cart, m_pole, half_length, tau) = (9.8, 1.0, 0.1, 0.5, 0.02);
    let force = if action == 1 { 10.0 } else { -10.0 };
    let (sin, cos) = theta.sin_cos();
    let total = m_cart + m_pole;
    let push = (force + m_pole * half_length * theta_dot * theta_dot * sin) / total;
    let theta_acc =
        (gravity * sin - cos * push) / (half_length * (4.0 / 3.0 - m_pole * cos * cos / total));
    let x_acc = push - m_pole * half_length * theta_acc * cos / total;
    let after = [
        x + tau * x_dot,
        x_dot + tau * x_acc,
        theta + tau * theta_dot,
        theta_dot + tau * theta_acc,
    ];
    (
        after,
        after[0].abs() > 2.4 || after[2].abs() > 12_f64.to_radians(),
    )
}

/// Where a car is one step later, and whether it is at the flag.
fn mountain_car([position, velocity]: [f64; 2], action: u8) -> ([f64; 2], bool) {
    let push = 0.001 * (f64::from(action) - 1.0) - 0.0025 * (3.0 * position).cos();
    let velocity = (velocity + push).clamp(-0.07, 0.07);
    let position = (position + velocity).clamp(-1.2, 0.6);
    let at_the_wall = position <= -1.2 && velocity < 0.0;
    let velocity = if at_the_wall { 0.0 } else { velocity };
    ([position, velocity], position >= 0.5 && velocity >= 0.0)
}

/// Plays `n_steps` of 8 environments with `act`, and compares each step with the twin. Returns how many games were
/// terminated and truncated.
fn play_beside_twin<const N: usize>(
    game: ClassicGame,
    n_steps: usize,
    act: impl Fn(usize, usize, [f64; N]) -> u8,
    twin: impl Fn([f64; N], u8) -> ([f64; N], bool),
) -> (usize, usize) {
    let seeds = [1, 2, 3, 4, 5, 6, 7, 8];
    let (mut env, mut batch) = start(&classic(game, 8), &seeds);
    let reward = if game == ClassicGame::CartPole {
        1.0
    } else {
        -1.0
    };
    let (mut n_terminated, mut n_truncated, mut lengths) = (0, 0, [0; 8]);
    for step_idx in 0..n_steps {
        let before = features::<N>(&batch.obs);
        let states = before.iter().copied().enumerate();
        let actions: Vec<u8> = states.map(|(env, obs)| act(env, step_idx, obs)).collect();
        step(env.as_mut(), &actions, &mut batch);
        let (after, last) = (features::<N>(&batch.obs), features::<N>(&batch.final_obs));
        for env_idx in 0..8 {
            lengths[env_idx] += 1;
            let (expected, is_over) = twin(before[env_idx], actions[env_idx]);
            let is_cut = !is_over && lengths[env_idx] == game.max_steps_per_game();
            assert!((batch.reward[env_idx] - reward).abs() < 1e-6);
            assert_eq!(batch.terminated[env_idx], is_over, "step {step_idx}");
            assert_eq!(batch.truncated[env_idx], is_cut, "step {step_idx}");
            assert_eq!(batch.game_over[env_idx], is_over || is_cut);
            if is_cut {
                assert_near(&last[env_idx], &expected);
            }
            if is_over || is_cut {
                lengths[env_idx] = 0;
                check_start(game, &after[env_idx]);
            } else {
                assert_near(&after[env_idx], &expected);
            }
            n_terminated += usize::from(is_over);
            n_truncated += usize::from(is_cut);
        }
    }
    (n_terminated, n_truncated)
}

/// What a game starts in, by Gymnasium's definition.
fn check_start(game: ClassicGame, features: &[f64]) {
    let is_start = match game {
        ClassicGame::CartPole => features.iter().all(|feature| feature.abs() <= 0.05),
        ClassicGame::MountainCar => (-0.6..=-0.4).contains(&features[0]) && features[1] == 0.0,
    };
    assert!(is_start, "{game:?} starts in {features:?}");
}

/// The sign of a linear function of the state: keeps the pole up until the time limit.
fn balance([x, x_dot, theta, theta_dot]: [f64; 4]) -> u8 {
    u8::from(0.1 * x + 0.3 * x_dot + 2.0 * theta + 0.6 * theta_dot > 0.0)
}

#[test]
fn cart_pole_moves_and_ends_as_defined() {
    let random = |env: usize, step: usize, _: [f64; 4]| u8::from((env * 7 + step * 13) % 5 < 2);
    let (n_fallen, n_cut) = play_beside_twin(ClassicGame::CartPole, 600, random, cart_pole);
    assert!(n_fallen > 100, "{n_fallen} poles fell");
    assert_eq!(n_cut, 0);
    let right = |_: usize, _: usize, obs: [f64; 4]| balance(obs);
    let (n_fallen, n_cut) = play_beside_twin(ClassicGame::CartPole, 1_001, right, cart_pole);
    assert_eq!((n_fallen, n_cut), (0, 16), "two games of 500 steps each");
}

#[test]
fn mountain_car_moves_and_ends_as_defined() {
    let still = |_: usize, _: usize, _: [f64; 2]| 1;
    let (n_up, n_cut) = play_beside_twin(ClassicGame::MountainCar, 401, still, mountain_car);
    assert_eq!((n_up, n_cut), (0, 16), "two games of 200 steps each");
    // Along with the velocity: up within the time limit, and against the left wall on the way.
    let rock = |_: usize, _: usize, obs: [f64; 2]| if obs[1] < 0.0 { 0 } else { 2 };
    let (n_up, n_cut) = play_beside_twin(ClassicGame::MountainCar, 400, rock, mountain_car);
    assert!(n_up >= 16 && n_cut == 0, "{n_up} up, {n_cut} cut off");
}

#[test]
fn classics_keep_the_rules_of_every_world() {
    for game in ClassicGame::ALL {
        check_world(&classic(game, 1), 450);
    }
}

#[test]
fn each_environment_and_each_game_starts_elsewhere() {
    for game in ClassicGame::ALL {
        let (mut env, mut batch) = start(&classic(game, 3), &[1, 2, 3]);
        let spec = *env.spec();
        assert_eq!(spec.obs_shape, ObsShape::Features(spec.obs_len() / 4));
        assert_eq!(
            (spec.n_actions, spec.frame_skip),
            (game.action_names().len(), 1)
        );
        let mut starts: Vec<Vec<u8>> = rows(&batch, spec.obs_len());
        for _ in 0..game.max_steps_per_game() {
            step(env.as_mut(), &[0; 3], &mut batch);
            for (env_idx, row) in rows(&batch, spec.obs_len()).into_iter().enumerate() {
                if batch.game_over[env_idx] {
                    starts.push(row);
                }
            }
        }
        let n_starts = starts.len();
        assert!(n_starts >= 6);
        starts.sort();
        starts.dedup();
        assert_eq!(starts.len(), n_starts, "{game:?}");
    }
}

fn rows(batch: &StepBatch, obs_len: usize) -> Vec<Vec<u8>> {
    batch.obs.chunks(obs_len).map(<[u8]>::to_vec).collect()
}
