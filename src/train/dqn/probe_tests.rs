//! The whole of DQN against worlds whose right answer is known: each fails for one kind of mistake only.

use rlrun_agents::dqn::{Actor, greedy};
use rlrun_envs::World;

use super::with_learner;
use crate::plan::{self, AgentPlan, Asked, Machine, Plan, Threading};
use crate::run::checkpoint::weights_sha256;
use crate::train::probes::observations;
use crate::train::setup::Start;
use crate::train::training::Training as _;

/// A plan for a probe, small and quick, with `sets` laid over it.
fn plan(probe: &str, sets: &[&str]) -> Plan {
    let quick = [
        "agent=dqn",
        "learner.threads=2",
        "learner.device=cpu",
        "total_steps=1000000",
        "env.n_envs=4",
        "env.n_groups=2",
        "dqn.replay_capacity=2000",
        "dqn.learning_starts_steps=200",
        "dqn.target_period_steps=100",
        "dqn.epsilon_end=0.1",
        "dqn.epsilon_decay_steps=500",
        "dqn.learning_rate=1e-3",
        "dqn.discount=0.5",
    ];
    let game = format!("game={probe}");
    let sets = [&[game.as_str()], &quick[..], sets].concat();
    let asked = Asked {
        sets: sets.into_iter().map(str::to_owned).collect(),
        ..Asked::default()
    };
    plan::resolve(&asked, &Machine::detect()).unwrap()
}

/// What acts, and the digest of the weights, after `n_rounds`.
fn trained(plan: &Plan, threading: Threading, n_rounds: usize) -> (Actor, String) {
    let AgentPlan::Dqn(config, replay) = &plan.agent else {
        panic!("the agent is {}", plan.agent.kind())
    };
    with_learner(
        plan,
        (config, replay),
        &Start::default(),
        threading,
        |learner, _| {
            for _ in 0..n_rounds {
                learner.advance()?;
            }
            let digest = weights_sha256(&learner.weights())?;
            Ok((learner.agent().actor()?, digest))
        },
    )
    .unwrap()
}

/// The values of the actions `steps` steps into a game.
fn values(actor: &Actor, probe: &str, steps: usize) -> Vec<f32> {
    let mut values = Vec::new();
    actor.q_values(&observations(probe, 1, steps), &mut values);
    values
}

/// Checks the greatest value: steps into a game, the right answer, how far from it is still right.
fn check_value(probe: &str, expected: &[(usize, f32, f32)], sets: &[&str]) {
    // Small steps, so that the values come to rest, and a target network that soon follows.
    let sets = [
        &["dqn.learning_rate=2e-4", "dqn.target_period_steps=40"],
        sets,
    ]
    .concat();
    let (actor, _) = trained(&plan(probe, &sets), Threading::Actors, 900);
    for &(steps, expected, tolerance) in expected {
        let got = values(&actor, probe, steps);
        let best = got[usize::from(greedy(&got))];
        assert!(
            (best - expected).abs() < tolerance,
            "{probe} {sets:?} after {steps} steps: Q = {got:?}, expected {expected}"
        );
    }
}

#[test]
fn rewards_are_discounted_over_any_number_of_steps() {
    for n_step in ["dqn.n_step=1", "dqn.n_step=3"] {
        check_value("probe:constant", &[(0, 1.0, 0.1)], &[n_step]);
        check_value("probe:delayed", &[(0, 0.5, 0.1), (1, 1.0, 0.1)], &[n_step]);
    }
}

#[test]
fn a_return_bootstraps_where_it_was_cut_off_and_not_where_it_ended() {
    for n_step in ["dqn.n_step=1", "dqn.n_step=3"] {
        // 1 + 1/2 + 1/4 + ... without end. Nothing teaches the value of the picture at which the game is cut off, so that
        // what is bootstrapped from it is only near; without it, the last value would be 1.
        check_value(
            "probe:truncated",
            &[(0, 2.0, 0.1), (4, 2.0, 0.5)],
            &[n_step],
        );
        check_value("probe:terminated", &[(4, 1.0, 0.1)], &[n_step]);
        check_value("probe:lives", &[(0, 1.5, 0.1), (1, 1.0, 0.1)], &[n_step]);
    }
}

#[test]
fn an_action_that_depends_on_a_position_is_learned_with_every_switch() {
    let World::Probe(world) = World::resolve("probe:position").unwrap() else {
        unreachable!("a probe was asked for")
    };
    let switches: [&[&str]; 3] = [
        &["torso.kind=coordconv"],
        &["dqn.double=true", "dqn.dueling=true", "dqn.loss=mse"],
        &["dqn.prioritized=true", "dqn.n_step=2"],
    ];
    for sets in switches {
        let (actor, _) = trained(&plan("probe:position", sets), Threading::Actors, 700);
        let obs = observations("probe:position", 64, 0);
        let mut values = Vec::new();
        actor.q_values(&obs, &mut values);
        let n_right = obs
            .chunks_exact(36 * 36)
            .zip(values.chunks_exact(world.n_actions()))
            .filter(|(obs, values)| greedy(values) == world.best_action(obs))
            .count();
        assert!(n_right >= 60, "{sets:?}: {n_right} of 64 actions are right");
    }
}

/// Frames of Atari, for which there may be kernels; nothing to learn in so few rounds, but something to compute.
#[test]
fn of_stacked_frames_neither_threads_nor_how_many_there_are_change_a_bit() {
    let digest = |n_threads: &str, threading, more: &[&str]| {
        let threads = format!("learner.threads={n_threads}");
        let sets = ["dqn.learning_starts_steps=40", &threads];
        trained(&plan("Pong", &[&sets, more].concat()), threading, 30)
    };
    for more in [
        &["torso.kind=coordconv", "torso.coord_layers=all"][..],
        &["dqn.double=true", "dqn.dueling=true", "dqn.batch_size=33"],
    ] {
        let (actor, two) = digest("2", Threading::Actors, more);
        assert_eq!(digest("2", Threading::Serial, more).1, two, "{more:?}");
        if actor.fills_a_pool() {
            for n_threads in ["1", "3"] {
                assert_eq!(
                    digest(n_threads, Threading::Actors, more).1,
                    two,
                    "{more:?}"
                );
            }
        }
    }
}

#[test]
fn threads_change_no_bit_and_neither_does_a_second_run() {
    for sets in [
        &["dqn.prioritized=true"][..],
        &["env.n_envs=1", "env.n_groups=1"],
    ] {
        let plan = plan("probe:position", sets);
        let digest = |threading| trained(&plan, threading, 100).1;
        let threaded = digest(Threading::Actors);
        assert_eq!(threaded, digest(Threading::Serial), "{sets:?}");
        assert_eq!(threaded, digest(Threading::Actors), "{sets:?}");
    }
}
