use rlrun_nn::{CoordLayers, ObsShape, TorsoConfig, TorsoKind};

use super::*;
use crate::a2c::{A2c, Schedule};

const TASK: Task = Task {
    obs_shape: ObsShape::Frames([4, 36, 36]),
    n_actions: 3,
    clip_rewards: true,
};

fn agent(kind: TorsoKind, seed: u64) -> A2c {
    let config = A2cConfig {
        rollout_steps: 2,
        discount: 0.9,
        learning_rate: 1e-3,
        learning_rate_schedule: Schedule::Constant,
        entropy_coef: 0.01,
        value_coef: 0.25,
        max_grad_norm: 0.5,
        rmsprop_decay: 0.99,
        rmsprop_epsilon: 1e-5,
    };
    let torso = TorsoConfig {
        kind,
        coord_layers: CoordLayers::First,
        coord_radius: false,
    };
    A2c::new(config, &torso, TASK, Device::Cpu, seed).unwrap()
}

/// Two steps of environments `envs` of a batch in which no two pictures, actions or rewards follow the same pattern.
fn rollout(envs: std::ops::Range<usize>) -> Rollout {
    let mut rollout = Rollout::new(2, envs.len(), 4 * 36 * 36);
    for t in 0..2 {
        for (b, env) in envs.clone().enumerate() {
            let entry = t * envs.len() + b;
            let pixels = rollout.obs[entry * 5184..(entry + 1) * 5184].iter_mut();
            for (place, pixel) in pixels.enumerate() {
                *pixel = u8::try_from((place * (env + 3) + 91 * t) % 251).unwrap();
            }
            rollout.action[entry] = i64::try_from((env + t) % 3).unwrap();
            rollout.reward[entry] = if env % 2 == 0 { 10.0 } else { -1.0 };
            rollout.terminated[entry] = t == 0 && env == 1;
        }
    }
    rollout.bootstrap.fill(0.5);
    rollout
}

fn tensors(share: &ShareGradient) -> Vec<Tensor> {
    share.grads.iter().map(Gradient::whole).collect()
}

#[test]
fn the_gradients_of_shares_add_up_to_that_of_the_batch() {
    for kind in [TorsoKind::Conv, TorsoKind::CoordConv] {
        let agent = agent(kind, 1);
        let gradient = |envs| agent.replica().gradient(&rollout(envs), 8);
        let whole = gradient(0..4);
        let (sum, terms) = ShareGradient::sum(vec![gradient(0..1), gradient(1..4)]);
        let sums = sum.grads.iter().map(Gradient::whole);
        for (whole, sum) in tensors(&whole).iter().zip(sums) {
            let scale = whole.abs().max().double_value(&[]).max(1e-6);
            let difference = (whole - sum).abs().max().double_value(&[]);
            assert!(difference < 1e-4 * scale, "{difference} of {scale}");
        }
        let difference = whole.terms.explained_variance() - terms.explained_variance();
        assert!(difference.abs() < 1e-4, "{difference}");
    }
}

/// The gradients of `rollout` from what acting in two groups kept, the second of which reports first, twice.
fn kept_gradients(agent: &A2c, rollout: &Rollout, what: Keep) -> [ShareGradient; 2] {
    let (mut replica, mut logits) = (agent.replica(), Vec::new());
    [(); 2].map(|()| {
        for (t, env) in [(0, 2), (0, 0), (1, 2), (1, 0)] {
            let rows = (4 * t + env) * 5184..(4 * t + env + 2) * 5184;
            replica.act_and_keep(&rollout.obs[rows], (t as u64, env), what, &mut logits);
        }
        replica.gradient(rollout, 8)
    })
}

#[test]
fn what_acting_kept_gives_the_gradient_of_looking_again() {
    for kind in [TorsoKind::Conv, TorsoKind::CoordConv] {
        let agent = agent(kind, 1);
        let rollout = rollout(0..4);
        let expected = agent.replica().gradient(&rollout, 8);
        for got in kept_gradients(&agent, &rollout, Keep::Pass) {
            for (got, expected) in tensors(&got).iter().zip(&tensors(&expected)) {
                assert_eq!(got.stride(), expected.stride());
                let scale = expected.abs().max().double_value(&[]).max(1e-6);
                let difference = (got - expected).abs().max().double_value(&[]);
                assert!(difference < 1e-5 * scale, "{difference} of {scale}");
            }
        }
        for got in kept_gradients(&agent, &rollout, Keep::Observations) {
            assert_eq!(tensors(&got), tensors(&expected));
        }
    }
}

#[test]
#[should_panic(expected = "rows of a rollout are missing")]
fn a_rollout_of_which_some_rows_were_kept_is_a_bug() {
    let rollout = rollout(0..4);
    let mut replica = agent(TorsoKind::Conv, 1).replica();
    replica.act_and_keep(
        &rollout.obs[..4 * 5184],
        (0, 0),
        Keep::Pass,
        &mut Vec::new(),
    );
    let _ = replica.gradient(&rollout, 8);
}

#[test]
fn a_restored_agent_goes_on_as_the_one_that_was_saved() {
    let mut saved = agent(TorsoKind::CoordConv, 1);
    let update = |agent: &mut A2c| {
        let gradient = agent.replica().gradient(&rollout(0..4), 8);
        agent.apply(vec![gradient], 0, 8).unwrap();
    };
    update(&mut saved);
    let state: Vec<(String, Tensor)> = saved
        .state()
        .into_iter()
        .map(|(name, tensor)| (name, tensor.copy()))
        .collect();
    let mut restored = agent(TorsoKind::CoordConv, 2);
    restored.load_state(&state).unwrap();
    update(&mut saved);
    update(&mut restored);
    for ((name, expected), (_, got)) in saved.state().iter().zip(restored.state()) {
        assert_eq!(*expected, got, "{name}");
    }
}

#[test]
fn each_truncated_return_goes_on_from_its_own_final_observation() {
    let mut replica = agent(TorsoKind::Conv, 1).replica();
    let mut batch = rollout(0..4);
    let picture = |shade: u8| vec![shade; 5184];
    // In the order in which groups may report: the later entry first.
    batch.final_obs = vec![(6, picture(200)), (3, picture(40))];
    batch.truncated[6] = true;
    batch.truncated[3] = true;
    replica.compute_returns(&batch);
    for (entry, shade) in [(6, 200), (3, 40)] {
        let mut value = Vec::new();
        replica.values(&picture(shade), &mut value);
        let reward = replica.task.learned_reward(batch.reward[entry]);
        let expected = reward + 0.9 * value[0];
        assert!((replica.scratch.returns[entry] - expected).abs() < 1e-5);
    }
}
