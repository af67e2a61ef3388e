//! The agent as a whole: its switches, its state, and a world that it has to learn.

use rlrun_nn::{Gradient, TorsoKind};
use tch::{Kind, Tensor};

use super::kit::{OBS_LEN, agent, batch, config, copies, frames, update};
use super::*;
use crate::replay::ReplayBatch;

#[test]
fn at_the_end_of_a_return_the_target_is_the_reward() {
    for double in [false, true] {
        let mut replica = agent(DqnConfig { double, ..config() }, TorsoKind::Conv, 1).replica();
        let mut batch = batch();
        batch.discount_t.fill(0.0);
        let mut q = Vec::new();
        replica.q_values(&batch.obs_tm1, &mut q);
        let gradient = replica.gradient(&batch, 0..4);
        for (row, td_error) in gradient.td_errors.iter().enumerate() {
            let action = usize::try_from(batch.action_tm1[row]).unwrap();
            let expected = batch.reward_t[row] - q[3 * row + action];
            assert!((td_error - expected).abs() < 1e-5, "{td_error} {expected}");
        }
    }
}

/// Q of the online and of the target network, moved apart, and the td errors of the batch.
struct Seen {
    weights: Vec<String>,
    q: Vec<f32>,
    td_errors: Vec<f32>,
    grads: Vec<Tensor>,
}

fn see(config: DqnConfig, weight: f32) -> Seen {
    let mut agent = agent(config, TorsoKind::Conv, 1);
    let mut batch = batch();
    batch.weight.fill(weight);
    for _ in 0..3 {
        let _ = update(&mut agent, &batch);
    }
    let mut replica = agent.replica();
    let mut q = Vec::new();
    replica.q_values(&batch.obs_t, &mut q);
    let gradient = replica.gradient(&batch, 0..4);
    Seen {
        weights: agent.weights().into_iter().map(|(name, _)| name).collect(),
        q,
        td_errors: gradient.td_errors,
        grads: gradient.grads.iter().map(Gradient::whole).collect(),
    }
}

#[test]
fn dueling_changes_the_network_and_the_other_switches_do_not() {
    let plain = see(config(), 1.0);
    let dueling = DqnConfig {
        dueling: true,
        ..config()
    };
    assert!(plain.weights.iter().any(|name| name == "q.weight"));
    let weights = see(dueling, 1.0).weights;
    assert!(weights.iter().any(|name| name == "advantage.out.weight"));
    // n-step and prioritized replay are the memory's affair: the agent does the same with the same batch.
    for other in [
        DqnConfig {
            n_step: 3,
            ..config()
        },
        DqnConfig {
            prioritized: true,
            ..config()
        },
    ] {
        let other = see(other, 1.0);
        assert_eq!((&other.weights, &other.q), (&plain.weights, &plain.q));
        assert_eq!(
            (&other.td_errors, &other.grads),
            (&plain.td_errors, &plain.grads)
        );
    }
}

/// Target values in which the target network's best action and the online network's differ.
#[test]
fn double_changes_the_target_and_nothing_else() {
    let double = |double| {
        let agent = agent(DqnConfig { double, ..config() }, TorsoKind::Conv, 1);
        // The last layer's biases of the target network prefer action 1, whatever it sees.
        let mut bias = agent.target.params.tensors().pop().unwrap();
        let favours_1 = Tensor::from_slice(&[0.0_f32, 9.0, 0.0]);
        tch::no_grad(|| bias.copy_(&favours_1));
        let mut replica = agent.replica();
        let (mut q, mut q_target) = (Vec::new(), Vec::new());
        replica.q_values(&batch().obs_t, &mut q);
        replica.target.q_values(&batch().obs_t, &mut q_target);
        (q, q_target, replica.gradient(&batch(), 0..4).td_errors)
    };
    let (q, q_target, single_errors) = double(false);
    let (same_q, same_q_target, double_errors) = double(true);
    assert_eq!((&q, &q_target), (&same_q, &same_q_target));
    for row in 0..4 {
        let action = usize::from(greedy(&q[3 * row..3 * row + 3]));
        let max = q_target[3 * row + 1];
        let expected = batch().discount_t[row] * (max - q_target[3 * row + action]);
        let got = single_errors[row] - double_errors[row];
        assert!((got - expected).abs() < 1e-4, "row {row}: {got} {expected}");
    }
}

#[test]
fn weights_scale_the_gradient_and_leave_the_td_errors() {
    let mut replica = agent(config(), TorsoKind::Conv, 1).replica();
    let mut whole = batch();
    whole.weight.fill(1.0);
    let mut halved = whole.clone();
    halved.weight.fill(0.5);
    let (whole, halved) = (
        replica.gradient(&whole, 0..4),
        replica.gradient(&halved, 0..4),
    );
    assert_eq!(whole.td_errors, halved.td_errors);
    for (whole, halved) in whole.grads.iter().zip(&halved.grads) {
        assert!((whole.whole() * 0.5).allclose(&halved.whole(), 1e-5, 1e-9, false));
    }
}

#[test]
fn a_restored_agent_goes_on_as_the_one_that_was_saved() {
    for optimizer in [OptimizerKind::Adam, OptimizerKind::RmspropCentered] {
        let config = DqnConfig {
            optimizer,
            dueling: true,
            double: true,
            ..config()
        };
        let mut saved = agent(config.clone(), TorsoKind::CoordConv, 1);
        let _ = update(&mut saved, &batch());
        saved.sync_target();
        let _ = update(&mut saved, &batch());
        let state = copies(saved.state());
        let mut restored = agent(config, TorsoKind::CoordConv, 2);
        restored.load_state(&state).unwrap();
        for agent in [&mut saved, &mut restored] {
            let _ = update(agent, &batch());
        }
        for ((name, expected), (_, got)) in saved.state().iter().zip(restored.state()) {
            assert_eq!(*expected, got, "{name}");
        }
    }
}

#[test]
fn a_foreign_state_is_refused() {
    let dueling = DqnConfig {
        dueling: true,
        ..config()
    };
    let state = agent(dueling, TorsoKind::Conv, 1).state();
    let mut plain = agent(config(), TorsoKind::Conv, 1);
    let message = plain.load_state(&state).unwrap_err().to_string();
    assert_eq!(message, "expected 10 saved tensors, got 14");
}

#[test]
fn the_target_network_moves_when_it_is_told_to_and_then_equals_the_online_one() {
    let mut agent = agent(config(), TorsoKind::Conv, 1);
    let first = copies(named(&agent.target.params));
    assert_eq!(first, agent.weights(), "both networks start alike");
    let _ = update(&mut agent, &batch());
    assert_eq!(named(&agent.target.params), first);
    assert_ne!(agent.weights(), first);
    agent.sync_target();
    assert_eq!(named(&agent.target.params), agent.weights());
}

#[test]
fn an_actor_on_another_thread_changes_at_refresh_only() {
    let mut agent = agent(config(), TorsoKind::CoordConv, 1);
    let obs = frames(2, 5);
    let actor = agent.actor().unwrap();
    let values = |actor: &Actor| {
        let mut values = Vec::new();
        actor.q_values(&obs, &mut values);
        values
    };
    let before = values(&actor);
    let _ = update(&mut agent, &batch());
    let mut online = Vec::new();
    agent.replica().q_values(&obs, &mut online);
    assert_ne!(before, online);
    let (unchanged, refreshed) = std::thread::scope(|scope| {
        let on_thread = move || {
            let unchanged = values(&actor);
            actor.refresh();
            (unchanged, values(&actor))
        };
        scope.spawn(on_thread).join().unwrap()
    });
    assert_eq!(unchanged, before);
    assert_eq!(refreshed, online);
}

#[test]
fn a_gradient_that_is_not_finite_is_refused_and_the_weights_stay() {
    let mut agent = agent(config(), TorsoKind::Conv, 1);
    let before = copies(agent.state());
    let mut batch = batch();
    batch.reward_t[2] = f32::NAN;
    let gradient = agent.replica().gradient(&batch, 0..4);
    let message = agent.apply(vec![gradient], 7).unwrap_err().to_string();
    assert!(
        message.starts_with("the gradient at step 7 is not finite (norm NaN)"),
        "{message}"
    );
    assert_eq!(agent.state(), before);
}

#[test]
fn a_norm_of_0_does_not_clip() {
    let moved = |max_grad_norm| {
        let config = DqnConfig {
            max_grad_norm,
            optimizer: OptimizerKind::RmspropCentered,
            rmsprop_decay: 0.0,
            rmsprop_epsilon: 1.0, // with both means at the gradient, a plain gradient step
            ..config()
        };
        let mut agent = agent(config, TorsoKind::Conv, 1);
        let before = copies(agent.weights());
        let (stats, _) = update(&mut agent, &batch());
        let pairs = before.iter().zip(agent.weights());
        let squares = pairs.map(|((_, before), (_, after))| {
            (before - after)
                .square()
                .sum(Kind::Double)
                .double_value(&[])
        });
        (squares.sum::<f64>().sqrt() / 1e-3, stats.grad_norm)
    };
    let (step, norm) = moved(0.0);
    assert!((step / norm - 1.0).abs() < 1e-2, "{step} of {norm}");
    let (step, clipped_norm) = moved(0.01);
    assert!((step / 0.01 - 1.0).abs() < 1e-2, "{step}");
    assert!((clipped_norm - norm).abs() < 1e-9);
}

/// Two states and two actions: action 0 stays, action 1 goes to the other state. Staying in state 1 pays 1; going there pays
/// nothing, leaving it ends the return with 0.5. With a discount of 0.5:
///
/// ```text
/// Q*(1, stay) = 1 + 0.5 * 2 = 2        Q*(1, go) = 0.5
/// Q*(0, go)   = 0.5 * 2     = 1        Q*(0, stay) = 0.5 * 1 = 0.5
/// ```
const Q_STAR: [f32; 4] = [0.5, 1.0, 2.0, 0.5];

/// All four transitions. State 0 is dark with a bright corner, state 1 the other way round.
fn two_states() -> ReplayBatch {
    let picture = |state: usize| {
        let pixels = (0..OBS_LEN).map(move |place| {
            let corner = place % 36 < 18 && place / 36 % 36 < 18;
            if corner == (state == 0) { 230 } else { 20 }
        });
        pixels.collect::<Vec<u8>>()
    };
    let mut batch = ReplayBatch::new(4, OBS_LEN);
    let transitions = [
        (0, 0, 0.0, 0.5, 0),
        (0, 1, 0.0, 0.5, 1),
        (1, 0, 1.0, 0.5, 1),
        (1, 1, 0.5, 0.0, 0),
    ];
    for (row, (state, action, reward, discount, next)) in transitions.into_iter().enumerate() {
        let pixels = row * OBS_LEN..(row + 1) * OBS_LEN;
        batch.obs_tm1[pixels.clone()].copy_from_slice(&picture(state));
        batch.obs_t[pixels].copy_from_slice(&picture(next));
        batch.action_tm1[row] = action;
        (batch.reward_t[row], batch.discount_t[row]) = (reward, discount);
    }
    batch
}

fn check_learns(what: &str, config: DqnConfig) {
    tch::set_num_threads(1); // tests share the cores already, and libtorch's threads wait for each other
    let batch = two_states();
    let torso = TorsoConfig {
        kind: TorsoKind::Conv,
        coord_layers: rlrun_nn::CoordLayers::First,
        coord_radius: false,
    };
    let task = Task {
        n_actions: 2,
        ..kit::TASK
    };
    let mut agent = Dqn::new(config, &torso, task, Device::Cpu, 3).unwrap();
    for n_updates in 1..=300 {
        let _ = update(&mut agent, &batch);
        if n_updates % 20 == 0 {
            agent.sync_target();
        }
    }
    let mut q = Vec::new();
    let two = [
        &batch.obs_tm1[..OBS_LEN],
        &batch.obs_tm1[2 * OBS_LEN..3 * OBS_LEN],
    ]
    .concat();
    agent.replica().q_values(&two, &mut q);
    for (got, expected) in q.iter().zip(Q_STAR) {
        assert!((got - expected).abs() < 0.02, "{what}: {q:?} {Q_STAR:?}");
    }
}

#[test]
fn every_variant_finds_the_values_of_a_world_of_two_states() {
    let base = || DqnConfig {
        learning_rate: 3e-4,
        ..config()
    };
    check_learns("plain", base());
    let double = true;
    check_learns("double", DqnConfig { double, ..base() });
    let all = DqnConfig {
        double: true,
        dueling: true,
        loss: LossKind::Mse,
        ..base()
    };
    check_learns("double, dueling, mse", all);
    let nature = DqnConfig {
        optimizer: OptimizerKind::RmspropCentered,
        max_grad_norm: 0.0,
        learning_rate: 1e-4,
        ..base()
    };
    check_learns("centred RMSProp", nature);
    let xavier = DqnConfig {
        init: rlrun_nn::init::Init::XavierUniform,
        ..base()
    };
    check_learns("xavier", xavier);
}
