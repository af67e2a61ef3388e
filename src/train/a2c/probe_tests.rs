//! The whole learner against worlds whose right answer is known: each fails for one kind of mistake only.

use rlrun_agents::a2c::Replica;
use rlrun_envs::World;

use super::with_learner;
use crate::plan::{self, AgentPlan, Asked, Machine, Plan, Threading};
use crate::train::probes::observations;
use crate::train::setup::Start;
use crate::train::training::Training as _;

/// A plan for a probe, small and quick, with `sets` laid over it.
fn plan(probe: &str, sets: &[&str]) -> Plan {
    let quick = [
        "learner.threads=1",
        "learner.device=\"cpu\"",
        "total_steps=1000000",
        "env.n_envs=8",
        "a2c.discount=0.5",
        "a2c.learning_rate=1e-3",
    ];
    let game = format!("game=\"{probe}\"");
    let sets = [&[game.as_str()], &quick[..], sets].concat();
    let asked = Asked {
        sets: sets.into_iter().map(str::to_owned).collect(),
        ..Asked::default()
    };
    plan::resolve(&asked, &Machine::detect()).unwrap()
}

/// What was trained for `n_updates`.
fn trained(plan: &Plan, n_updates: usize) -> Replica {
    let AgentPlan::A2c(config) = &plan.agent else {
        panic!("the agent is {}", plan.agent.kind())
    };
    let start = Start::default();
    with_learner(plan, config, &start, Threading::Actors, |learner, _| {
        for _ in 0..n_updates {
            learner.advance()?;
        }
        Ok(learner.agent().replica())
    })
    .unwrap()
}

fn check_value(probe: &str, steps: usize, expected: f32) {
    let sets = [
        "a2c.value_coef=0.5",
        "a2c.learning_rate=8e-3",
        "a2c.rmsprop_decay=0.9",
        // The step size falls to zero over the updates made, so that the value comes to rest.
        "a2c.learning_rate_schedule=\"linear\"",
        "total_steps=20000",
        "a2c.max_grad_norm=100",
    ];
    let plan = plan(probe, &sets);
    let replica = trained(&plan, 500);
    let mut values = Vec::new();
    let obs = observations(probe, 1, steps);
    replica.values(&obs, &mut values);
    assert!(
        (values[0] - expected).abs() < 0.1,
        "{probe} after {steps} steps: V = {}, expected {expected}",
        values[0]
    );
}

/// Every environment shall take the best action with high probability.
fn check_policy(probe: &str, sets: &[&str], n_updates: usize) {
    let plan = plan(probe, sets);
    let replica = trained(&plan, n_updates);
    let obs = observations(probe, 64, 0);
    let mut logits = Vec::new();
    replica.act(&obs, &mut logits);
    let World::Probe(world) = World::resolve(probe).unwrap() else {
        unreachable!("a probe was asked for")
    };
    let n_right = obs
        .chunks_exact(36 * 36)
        .zip(logits.chunks_exact(world.n_actions()))
        .filter(|(obs, logits)| {
            let best = usize::from(world.best_action(obs));
            logits.iter().all(|&logit| logit <= logits[best])
        })
        .count();
    assert!(n_right >= 62, "{probe}: {n_right} of 64 actions are right");
}

#[test]
fn the_value_of_a_certain_reward_is_learned() {
    check_value("probe:constant", 0, 1.0);
}

#[test]
fn a_delayed_reward_is_discounted() {
    check_value("probe:delayed", 0, 0.5);
    check_value("probe:delayed", 1, 1.0);
}

#[test]
fn a_truncated_return_bootstraps() {
    // 1 + 1/2 + 1/4 + ... without end.
    check_value("probe:truncated", 0, 2.0);
    check_value("probe:truncated", 4, 2.0);
}

#[test]
fn a_terminated_return_does_not_bootstrap() {
    check_value("probe:terminated", 4, 1.0);
}

#[test]
fn a_lost_life_ends_the_return() {
    check_value("probe:lives", 0, 1.5);
    check_value("probe:lives", 1, 1.0);
}

#[test]
fn the_better_action_is_learned() {
    check_policy("probe:action", &[], 200);
    check_policy("probe:sign", &[], 400);
}

#[test]
fn an_action_that_depends_on_a_position_is_learned_with_either_torso() {
    for torso in ["conv", "coordconv"] {
        let kind = format!("torso.kind=\"{torso}\"");
        check_policy("probe:position", &[&kind], 1_000);
    }
}
