//! Games in colour beside the grey batches that learn from them.

use rlrun_envs::{ColourGame, EnvError, ProtocolName, StepBatch, env_seed};

use crate::scripted_player::action;
use crate::setup::{config, start, step};

use ProtocolName::{Baselines, Gym, Machado};

/// Plays a batch of three, and beside it in colour the environment with index `shown`, until two of its games are over.
fn check_same_game(game: &str, protocol: ProtocolName, shown: usize) {
    let config = config(game, protocol, 3);
    let seeds: Vec<u32> = (0..3).map(|env| env_seed(11, env)).collect();
    let (mut env, mut batch) = start(&config, &seeds);
    let mut colour = ColourGame::new(&config, seeds[shown]).unwrap();
    let n_actions = env.spec().n_actions;
    let (mut n_games, mut score) = (0, 0.0);
    let mut before = colour.rgb().to_vec();
    for t in 0..3_000 {
        let actions: Vec<u8> = seeds
            .iter()
            .map(|&seed| action(seed, t, n_actions))
            .collect();
        step(env.as_mut(), &actions, &mut batch);
        let seen = colour.step(actions[shown]).unwrap();
        let expected = (
            batch.reward[shown].to_bits(),
            batch.lives[shown],
            (batch.terminated[shown], batch.truncated[shown]),
            batch.game_over[shown],
        );
        let got = (
            seen.reward.to_bits(),
            seen.lives,
            (seen.terminated, seen.truncated),
            seen.game_over,
        );
        assert_eq!(got, expected, "{game} as environment {shown}, step {t}");
        assert_eq!(seen.last_rgb.is_some(), seen.game_over);
        score += seen.reward;
        if let Some(last) = seen.last_rgb {
            // The last picture is of the game before, so it looks like the one before it.
            assert!(differing(last, &before) < last.len() / 4, "step {t}");
            n_games += 1;
        }
        before.copy_from_slice(seen.rgb);
        if n_games == 2 {
            break;
        }
    }
    assert_eq!(n_games, 2, "{game}");
    assert!(score.abs() > 0.0, "{game} without a score compares nothing");
}

fn differing(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).filter(|(a, b)| a != b).count()
}

#[test]
fn breakout_in_colour_is_the_game_of_the_batch_wherever_it_is_played() {
    for shown in 0..3 {
        check_same_game("Breakout", Baselines, shown);
    }
}

#[test]
fn ms_pacman_with_sticky_actions_in_colour_is_the_game_of_the_batch() {
    check_same_game("MsPacman", Machado, 0);
    check_same_game("MsPacman", Machado, 2);
}

#[test]
fn a_game_in_colour_is_cut_off_and_begun_again_as_the_grey_one() {
    let mut config = config("MsPacman", Machado, 1);
    config.protocol.max_frames_per_game = 48;
    let (mut env, mut batch) = start(&config, &[5]);
    let mut colour = ColourGame::new(&config, 5).unwrap();
    let first = colour.rgb().to_vec();
    for t in 0..30 {
        step(env.as_mut(), &[0], &mut batch);
        let seen = colour.step(0).unwrap();
        assert_eq!(
            (seen.truncated, seen.game_over),
            (t % 12 == 11, t % 12 == 11)
        );
        assert_eq!(seen.truncated, batch.truncated[0]);
    }
    assert!(differing(&first, colour.rgb()) > 0);
    colour.reset(5).unwrap();
    assert!(first == colour.rgb(), "a reset with the same seed");
}

/// Grey levels are those of the colours, so the grey picture is bright where the colour one is. The batch's picture is smaller, so
/// both are compared by their mean brightness in 7 x 7 fields.
#[test]
fn the_picture_in_colour_shows_what_the_grey_one_shows() {
    let config = config("Breakout", Baselines, 1);
    let (mut env, mut batch) = start(&config, &[3]);
    let mut colour = ColourGame::new(&config, 3).unwrap();
    assert_eq!((colour.height(), colour.width()), (210, 160));
    for t in 0..40 {
        let choice = action(3, t, 4);
        step(env.as_mut(), &[choice], &mut batch);
        colour.step(choice).unwrap();
    }
    let grey = |batch: &StepBatch, x: f64, y: f64| {
        field(x, y, 84, 84, |i| batch.obs[3 * 84 * 84 + i].into())
    };
    let luma = |i: usize| {
        let pixel = &colour.rgb()[3 * i..3 * i + 3];
        0.299 * f64::from(pixel[0]) + 0.587 * f64::from(pixel[1]) + 0.114 * f64::from(pixel[2])
    };
    for y in 0..7 {
        for x in 0..7 {
            let (x, y) = (f64::from(x) / 7.0, f64::from(y) / 7.0);
            let difference = grey(&batch, x, y) - field(x, y, 160, 210, luma);
            assert!(difference.abs() < 6.0, "{difference} at {x}, {y}");
        }
    }
    let pixels: Vec<&[u8]> = colour.rgb().chunks(3).collect();
    assert!(
        pixels.iter().any(|rgb| rgb[0] / 2 > rgb[2]),
        "nothing is red"
    );
}

/// Mean of a seventh by a seventh of a picture of `width` times `height`, whose upper left corner lies at (x, y).
fn field(x: f64, y: f64, width: u32, height: u32, at: impl Fn(usize) -> f64) -> f64 {
    let (width, height) = (f64::from(width), f64::from(height));
    let (mut sum, mut n) = (0.0, 0.0);
    let mut row = (y * height).ceil();
    while row < (y + 1.0 / 7.0) * height - 1e-9 {
        let mut column = (x * width).ceil();
        while column < (x + 1.0 / 7.0) * width - 1e-9 {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole numbers of pixels"
            )]
            let idx = (row * width + column) as usize;
            sum += at(idx);
            n += 1.0;
            column += 1.0;
        }
        row += 1.0;
    }
    sum / n
}

#[test]
fn screens_may_be_higher_and_what_is_no_atari_game_has_none() {
    let colour = ColourGame::new(&config("AirRaid", Machado, 1), 0).unwrap();
    assert_eq!(colour.rgb().len(), colour.height() * colour.width() * 3);
    assert_eq!((colour.height(), colour.width()), (250, 160));
    let error = ColourGame::new(&config("CartPole", Gym, 1), 0).unwrap_err();
    assert!(matches!(error, EnvError::NoPicture { world: "CartPole" }));
}

#[test]
fn a_wrong_action_is_refused_and_the_game_goes_on() {
    let mut colour = ColourGame::new(&config("Pong", Machado, 1), 1).unwrap();
    assert!(colour.step(6).is_err());
    assert!(colour.step(5).is_ok());
}
