//! What every world has to keep, whatever it is: sizes, order of calls, determinism, and that an environment plays in a
//! batch as it plays alone.

use rlrun_envs::{BatchEnv, EnvConfig, EnvError, ObsShape, StepBatch, make};

use crate::scripted_player::{play, row};
use crate::setup::start;

const SEEDS: [u32; 3] = [11, 12, 7_000_001];

/// Checks a world with every rule of the trait. `config` is for one environment.
pub(crate) fn check_world(config: &EnvConfig, n_steps: u64) {
    let three = EnvConfig {
        n_envs: 3,
        ..config.clone()
    };
    check_order_of_calls(config);
    let (mut env, first) = start(&three, &SEEDS);
    check_shapes(env.as_ref(), &first);
    check_reset_outcome(&first);
    let steps = play(env.as_mut(), &SEEDS, n_steps);
    for batch in &steps {
        check_flags(batch);
    }
    check_reset_starts_anew(env.as_mut(), &first, &steps);
    for (env_idx, &seed) in SEEDS.iter().enumerate() {
        let (mut alone, first_alone) = start(config, &[seed]);
        assert_eq!(
            row(&first, env_idx),
            row(&first_alone, 0),
            "first observation with seed {seed}"
        );
        for (step_idx, (batch, alone)) in steps
            .iter()
            .zip(play(alone.as_mut(), &[seed], n_steps))
            .enumerate()
        {
            assert!(
                row(batch, env_idx) == row(&alone, 0),
                "seed {seed} differs alone at step {step_idx}"
            );
        }
    }
}

fn check_shapes(env: &dyn BatchEnv, batch: &StepBatch) {
    let spec = env.spec();
    assert_eq!(spec.n_envs, 3);
    assert_eq!(batch.obs.len(), 3 * spec.obs_len());
    assert_eq!(batch.lives.len(), 3);
    assert!(spec.n_actions >= 2 && spec.frame_skip >= 1);
    if let ObsShape::Frames([_, height, width]) = spec.obs_shape {
        assert!(
            height >= 36 && width >= 36,
            "the Nature torso takes no less: {spec:?}"
        );
    }
}

fn check_reset_outcome(first: &StepBatch) {
    assert_eq!(first.reward, [0.0; 3]);
    for flags in [&first.terminated, &first.truncated, &first.game_over] {
        assert_eq!(flags[..], [false; 3]);
    }
}

fn check_flags(batch: &StepBatch) {
    for env_idx in 0..batch.reward.len() {
        let (terminated, truncated) = (batch.terminated[env_idx], batch.truncated[env_idx]);
        assert!(!(terminated && truncated), "a return has one end");
        assert!(
            !batch.game_over[env_idx] || terminated || truncated,
            "a game that is over ends the return"
        );
        assert!(
            !truncated || batch.game_over[env_idx],
            "a game that is cut off is over"
        );
    }
}

/// The same seeds give the same game again, also in the middle of a step that nobody received.
fn check_reset_starts_anew(env: &mut dyn BatchEnv, first: &StepBatch, steps: &[StepBatch]) {
    env.send(&[0; 3]).unwrap();
    let mut again = StepBatch::new(env.spec());
    env.reset(&SEEDS, &mut again).unwrap();
    check_reset_outcome(&again);
    let n_steps = u64::try_from(steps.len()).unwrap();
    let steps_again = play(env, &SEEDS, n_steps);
    for env_idx in 0..3 {
        assert_eq!(row(first, env_idx), row(&again, env_idx));
        for (step_idx, (then, now)) in steps.iter().zip(&steps_again).enumerate() {
            assert!(
                row(then, env_idx) == row(now, env_idx),
                "environment {env_idx} differs at step {step_idx}"
            );
        }
    }
}

/// Every call out of turn and every wrong argument is refused, and the batch works afterwards.
fn check_order_of_calls(config: &EnvConfig) {
    let mut env = make(config).unwrap();
    let spec = *env.spec();
    let mut batch = StepBatch::new(&spec);
    let out_of_turn = |result: Result<(), EnvError>, what: &str| {
        assert!(
            matches!(result, Err(EnvError::OutOfTurn { .. })),
            "{what}: {result:?}"
        );
    };
    out_of_turn(env.send(&[0]), "send before reset");
    out_of_turn(env.recv(&mut batch), "recv before reset");
    let seeds = env.reset(&[1, 2], &mut batch);
    assert!(
        matches!(
            seeds,
            Err(EnvError::WrongLength {
                expected: 1,
                got: 2,
                ..
            })
        ),
        "{seeds:?}"
    );
    let seed = env.reset(&[u32::MAX], &mut batch);
    assert!(matches!(seed, Err(EnvError::OutOfRange { .. })), "{seed:?}");
    env.reset(&[1], &mut batch).unwrap();
    out_of_turn(env.recv(&mut batch), "recv before send");
    let invalid = env.send(&[u8::try_from(spec.n_actions).unwrap()]);
    assert!(
        matches!(invalid, Err(EnvError::InvalidAction { env_idx: 0, .. })),
        "{invalid:?}"
    );
    let length = env.send(&[]);
    assert!(
        matches!(
            length,
            Err(EnvError::WrongLength {
                expected: 1,
                got: 0,
                ..
            })
        ),
        "{length:?}"
    );
    env.send(&[0]).unwrap();
    out_of_turn(env.send(&[0]), "send twice");
    let mut other = batch.clone();
    other.obs.pop();
    assert!(matches!(
        env.recv(&mut other),
        Err(EnvError::WrongLength { .. })
    ));
    env.recv(&mut batch).unwrap();
    env.send(&[0]).unwrap(); // Dropped in the middle of a step.
}
