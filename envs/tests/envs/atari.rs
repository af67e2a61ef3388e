//! The traps of ale-py's vector interface, each with the real emulator.

use std::fs;
use std::thread;

use rlrun_envs::{EnvConfig, EnvError, ProtocolName, StepBatch, env_seed, list_games, make};

use crate::kit::check_world;
use crate::scripted_player::{action, play, row};
use crate::setup::{config, start, step};

use ProtocolName::{Baselines, Machado};

const PLANE: usize = 84 * 84;

#[test]
fn breakout_keeps_the_rules_of_the_trait() {
    check_world(&config("Breakout", Baselines, 1), 200);
}

#[test]
fn ms_pacman_with_sticky_actions_keeps_the_rules_of_the_trait() {
    check_world(&config("MsPacman", Machado, 1), 60);
}

/// Plays one environment until a game is over and returns (lives, terminated, game over) of every step.
fn first_game(config: &EnvConfig, seed: u32) -> Vec<(u32, bool, bool)> {
    let (mut env, first) = start(config, &[seed]);
    let mut steps = vec![(first.lives[0], false, false)];
    let mut batch = first;
    for step_idx in 0.. {
        assert!(step_idx < 2_000, "no game over");
        // FIRE every other step, so that each life is served.
        let choice = if step_idx % 2 == 0 {
            1
        } else {
            action(seed, step_idx, env.spec().n_actions)
        };
        step(env.as_mut(), &[choice], &mut batch);
        steps.push((batch.lives[0], batch.terminated[0], batch.game_over[0]));
        if batch.game_over[0] {
            break;
        }
    }
    steps
}

#[test]
fn a_lost_life_ends_the_return_and_not_the_game() {
    let steps = first_game(&config("Breakout", Baselines, 1), 1);
    let mut lives: Vec<u32> = steps.iter().map(|step| step.0).collect();
    lives.dedup();
    assert_eq!(lives, [5, 4, 3, 2, 1, 5], "the last is of the next game");
    for pair in steps.windows(2) {
        assert_eq!(
            pair[1].1,
            pair[1].0 != pair[0].0,
            "terminated where a life was lost: {pair:?}"
        );
    }
    assert_eq!(steps.iter().filter(|step| step.1).count(), 5);
    assert_eq!(steps.iter().filter(|step| step.2).count(), 1);
}

#[test]
fn under_machado_only_the_game_over_ends_the_return() {
    let steps = first_game(&config("Breakout", Machado, 1), 1);
    assert!(
        steps.iter().all(|step| step.1 == step.2),
        "terminated is game over"
    );
    assert_eq!(steps.iter().filter(|step| step.1).count(), 1);
}

#[test]
fn a_new_game_starts_with_three_black_planes_and_so_does_the_observation_of_a_game_over() {
    let (mut env, mut batch) = start(&config("Breakout", Baselines, 1), &[4]);
    let is_first = |obs: &[u8]| {
        obs[..3 * PLANE].iter().all(|&pixel| pixel == 0)
            && obs[3 * PLANE..].iter().any(|&pixel| pixel != 0)
    };
    assert!(is_first(&batch.obs));
    let mut n_games = 0;
    for step_idx in 0..600 {
        let choice = action(4, step_idx, 4);
        step(env.as_mut(), &[choice], &mut batch);
        assert_eq!(is_first(&batch.obs), batch.game_over[0], "step {step_idx}");
        n_games += u32::from(batch.game_over[0]);
    }
    assert!(n_games >= 2, "{n_games} games");
}

/// The first steps of MsPacman under Machado's protocol with another time limit.
fn capped(max_frames_per_game: u32, n_steps: u64) -> Vec<StepBatch> {
    let mut config = config("MsPacman", Machado, 2);
    config.protocol.max_frames_per_game = max_frames_per_game;
    let (mut env, _) = start(&config, &[21, 22]);
    play(env.as_mut(), &[21, 22], n_steps)
}

#[test]
fn a_game_at_its_time_limit_is_truncated_and_its_last_observation_kept() {
    let (free, cut) = (capped(108_000, 25), capped(48, 25));
    for env_idx in 0..2 {
        for (step_idx, batch) in cut.iter().enumerate() {
            let is_cut = step_idx % 12 == 11; // 12 steps of 4 frames
            assert_eq!(batch.truncated[env_idx], is_cut, "step {step_idx}");
            assert_eq!(batch.game_over[env_idx], is_cut, "step {step_idx}");
            assert!(!batch.terminated[env_idx], "step {step_idx}");
        }
        // On the frame of the limit ALE takes no picture: the newest plane is a frame old, the others are right.
        let (expected, got) = (
            row(&free[11], env_idx).obs,
            row(&cut[11], env_idx).final_obs,
        );
        assert!(
            expected[..3 * PLANE] == got[..3 * PLANE],
            "the three older planes"
        );
        let differing = expected
            .iter()
            .zip(&got)
            .filter(|(a, b)| a.abs_diff(**b) > 8)
            .count();
        assert!(
            differing < PLANE / 20,
            "{differing} pixels of the newest plane differ"
        );
        assert!(row(&cut[11], env_idx).obs != got, "obs is of the next game");
    }
}

#[test]
fn a_life_lost_on_the_frame_of_the_time_limit_ends_the_game_as_terminated() {
    let mut config = config("Breakout", Baselines, 1);
    let until_loss = |config: &EnvConfig| {
        let (mut env, _) = start(config, &[9]);
        let steps = play(env.as_mut(), &[9], 120);
        let loss_idx = steps.iter().position(|batch| batch.terminated[0]).unwrap();
        (loss_idx, steps[loss_idx].clone())
    };
    let (loss_idx, free) = until_loss(&config);
    assert!(!free.game_over[0]);
    config.protocol.max_frames_per_game = 4 * (u32::try_from(loss_idx).unwrap() + 1);
    let (idx, cut) = until_loss(&config);
    assert_eq!(idx, loss_idx);
    assert!(cut.game_over[0] && !cut.truncated[0]);
}

#[test]
fn rewards_are_raw() {
    let (mut env, _) = start(&config("MsPacman", Baselines, 2), &[1, 2]);
    let steps = play(env.as_mut(), &[1, 2], 150);
    let rewards: Vec<f32> = steps
        .iter()
        .flat_map(|batch| batch.reward.clone())
        .collect();
    assert!(
        rewards.iter().all(|reward| reward % 10.0 == 0.0),
        "pellets pay 10"
    );
    assert!(rewards.iter().sum::<f32>() >= 100.0);
}

#[test]
fn seeds_decide_the_game() {
    let play_with = |seeds: [u32; 2]| {
        let (mut env, first) = start(&config("MsPacman", Machado, 2), &seeds);
        let mut batch = first;
        for step_idx in 0..100 {
            let choice = action(0, step_idx, 9);
            step(env.as_mut(), &[choice, choice], &mut batch);
        }
        [row(&batch, 0).obs, row(&batch, 1).obs]
    };
    let [a, b] = play_with([0, 1]);
    assert!(a != b, "seeds 0 and 1 play the same game");
    let [b_again, a_again] = play_with([1, 0]);
    assert!(
        a == a_again && b == b_again,
        "a seed plays another game elsewhere in the batch"
    );
}

#[test]
fn two_groups_play_what_one_batch_plays_also_at_the_same_time_and_with_more_threads() {
    let seeds: Vec<u32> = (0..4).map(|env_idx| env_seed(3, env_idx)).collect();
    for protocol in [Baselines, Machado] {
        let play_group = |seeds: &[u32], n_threads: usize| {
            let config = EnvConfig {
                n_threads,
                ..config("Breakout", protocol, seeds.len())
            };
            let (mut env, _) = start(&config, seeds);
            play(env.as_mut(), seeds, 150)
        };
        let together = play_group(&seeds, 2);
        let groups: Vec<_> = thread::scope(|scope| {
            let handles: Vec<_> = seeds
                .chunks(2)
                .map(|seeds| scope.spawn(move || play_group(seeds, 1)))
                .collect();
            handles
                .into_iter()
                .map(|handle| handle.join().unwrap())
                .collect()
        });
        for env_idx in 0..4 {
            let group = &groups[env_idx / 2];
            for (step_idx, (whole, part)) in together.iter().zip(group).enumerate() {
                assert!(
                    row(whole, env_idx) == row(part, env_idx % 2),
                    "{protocol}: environment {env_idx} differs at step {step_idx}"
                );
            }
        }
    }
}

#[test]
fn an_invalid_action_is_refused_before_anything_is_sent_and_the_game_goes_on() {
    let (mut env, mut batch) = start(&config("Breakout", Baselines, 2), &[1, 2]);
    let error = env.send(&[3, 4]).unwrap_err();
    assert!(
        matches!(
            error,
            EnvError::InvalidAction {
                env_idx: 1,
                action: 4,
                n_actions: 4
            }
        ),
        "{error}"
    );
    let (mut twin, _) = start(&config("Breakout", Baselines, 2), &[1, 2]);
    let mut expected = batch.clone();
    step(env.as_mut(), &[3, 2], &mut batch);
    step(twin.as_mut(), &[3, 2], &mut expected);
    assert!(batch == expected, "the refused step left a trace");
}

#[test]
fn the_full_action_space_has_18_actions() {
    let mut config = config("Pong", Machado, 1);
    assert_eq!(make(&config).unwrap().spec().n_actions, 6);
    config.protocol.full_action_space = true;
    assert_eq!(make(&config).unwrap().spec().n_actions, 18);
}

#[test]
fn numbers_out_of_range_are_refused_with_their_name() {
    let check = |what: &str, change: &dyn Fn(&mut EnvConfig)| {
        let mut config = config("Pong", Machado, 1);
        change(&mut config);
        let error = make(&config)
            .err()
            .unwrap_or_else(|| panic!("{what} was accepted"));
        assert!(error.to_string().starts_with(what), "{error}");
    };
    check("number of environments", &|config| config.n_envs = 0);
    check("number of emulator threads", &|config| config.n_threads = 0);
    check("sticky_action_prob", &|config| {
        config.protocol.sticky_action_prob = 1.5;
    });
    check("frame_skip", &|config| config.protocol.frame_skip = 0);
    check("screen_size", &|config| config.protocol.screen_size = 0);
    check("max_frames_per_game", &|config| {
        config.protocol.max_frames_per_game = 0;
    });
}

#[test]
fn the_table_lists_exactly_the_installed_roms() {
    let roms_dir = rlrun_envs::python::versions().unwrap().roms_dir;
    let mut installed: Vec<String> = fs::read_dir(roms_dir)
        .unwrap()
        .filter_map(|entry| {
            Some(
                entry
                    .unwrap()
                    .file_name()
                    .to_str()?
                    .strip_suffix(".bin")?
                    .to_owned(),
            )
        })
        .filter(|rom| !["combat", "joust", "maze_craze", "warlords"].contains(&rom.as_str()))
        .collect();
    installed.sort();
    let listed: Vec<&str> = list_games().iter().map(|game| game.rom_id).collect();
    assert_eq!(installed, listed);
}

/// One environment of every game: number of actions and lives as the table says.
fn check_table(mut is_checked: impl FnMut(&str) -> bool) {
    for game in list_games().iter().filter(|game| is_checked(game.name)) {
        let (env, first) = start(&config(game.name, Machado, 1), &[0]);
        assert_eq!(
            env.spec().n_actions,
            game.n_actions(),
            "actions of {}",
            game.name
        );
        assert_eq!(first.lives[0], game.lives, "lives of {}", game.name);
    }
}

#[test]
fn a_few_rows_of_the_table_are_what_ale_says() {
    check_table(|name| ["Atlantis", "MsPacman", "Pong", "VideoCheckers"].contains(&name));
}

#[test]
#[ignore = "opens all 104 ROMs: 20 s; run it when ale-py is updated"]
fn the_table_is_what_ale_says() {
    check_table(|_| true);
}
