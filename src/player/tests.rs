//! The same games whoever plays beside them.

use rlrun_nn::ObsShape;
use toml::Value;

use super::*;
use crate::plan::{Asked, Machine, resolve};

const SIDE: usize = 36;
const OBS_LEN: usize = SIDE * SIDE;

fn plan(agent: &str) -> Plan {
    let machine = Machine {
        cores: 2,
        available_bytes: None,
        cuda_devices: 0,
        multiplies_bf16: false,
    };
    let word = |text: &str| Value::String(text.to_owned());
    let flags = vec![
        ("--game", "game", word("Pong")),
        ("--agent", "agent", word(agent)),
    ];
    let asked = Asked {
        flags,
        ..Asked::default()
    };
    resolve(&asked, &machine).unwrap()
}

fn player(agent: &str, asked: AskedRule) -> Player {
    let plan = plan(agent);
    let side = i64::try_from(SIDE).unwrap();
    let task = Task {
        obs_shape: ObsShape::Frames([1, side, side]),
        n_actions: 5,
        clip_rewards: true,
    };
    let state = match &plan.agent {
        AgentPlan::A2c(config) => {
            let agent = A2c::new(config.clone(), &plan.torso, task, tch::Device::Cpu, 3);
            agent.unwrap().state()
        }
        AgentPlan::Dqn(config, _) => {
            let agent = Dqn::new(config.clone(), &plan.torso, task, tch::Device::Cpu, 3);
            agent.unwrap().state()
        }
    };
    let rule = Rule::new(&plan.agent, asked).unwrap();
    Player::new(&plan, task, &state, rule, 9).unwrap()
}

fn picture(game: usize) -> Vec<u8> {
    let pixel = |place: usize| u8::try_from((place * (2 * game + 3) + 31 * game) % 251).unwrap();
    (0..OBS_LEN).map(pixel).collect()
}

#[test]
fn what_is_seen_is_the_same_to_the_bit_whatever_is_seen_beside_it() {
    for agent in ["a2c", "dqn"] {
        let mut player = player(agent, AskedRule::default());
        let pictures: Vec<Vec<u8>> = (0..21).map(picture).collect();
        let one = |game: usize| Move {
            game,
            t: 4,
            obs: &pictures[game],
        };
        let all: Vec<Move<'_>> = (0..21).map(one).collect();
        let together = player.look(&all);
        assert!(together[0] != together[8], "two pictures, one row");
        for (game, look) in together.iter().enumerate() {
            assert_eq!(player.look(&[one(game)])[0], *look, "game {game}");
            assert_eq!(look.value.is_some(), agent == "a2c");
        }
        // Games that share a row, in an order of their own.
        let some = player.look(&[one(17), one(1), one(9), one(3)]);
        let expected = [17, 1, 9, 3].map(|game: usize| together[game].clone());
        assert_eq!(some, expected);
        let chosen = player.choose(&all);
        let alone: Vec<u8> = (0..21).map(|game| player.choose(&[one(game)])[0]).collect();
        assert_eq!(chosen, alone);
    }
}

#[test]
fn rules_are_those_of_the_evaluations_beside_a_training_unless_another_is_asked_for() {
    let rule = |agent: &str, policy, epsilon| {
        Rule::new(&plan(agent).agent, AskedRule { policy, epsilon })
            .map(|rule| (rule.policy, rule.epsilon))
    };
    let (greedy, stochastic) = (PolicyKind::Greedy, PolicyKind::Stochastic);
    assert_eq!(rule("a2c", None, None), Ok((stochastic, 0.0)));
    assert_eq!(rule("a2c", Some(greedy), Some(0.1)), Ok((greedy, 0.1)));
    let AgentPlan::Dqn(config, _) = plan("dqn").agent else {
        panic!("a plan of dqn")
    };
    assert!(config.eval_epsilon > 0.0);
    assert_eq!(rule("dqn", None, None), Ok((greedy, config.eval_epsilon)));
    assert_eq!(rule("dqn", Some(greedy), None), Ok((greedy, 0.0)));
    assert_eq!(rule("dqn", None, Some(0.5)), Ok((greedy, 0.5)));
    assert!(rule("dqn", Some(stochastic), None).is_err());
}

#[test]
fn greedy_takes_the_greatest_and_a_random_rule_takes_everything() {
    let asked = |policy, epsilon| AskedRule {
        policy: Some(policy),
        epsilon: Some(epsilon),
    };
    let outputs = [0.0, 1.0, 3.0, 1.0, 0.0];
    let often = |policy, epsilon| {
        let player = player("a2c", asked(policy, epsilon));
        let mut counts = [0_u32; 5];
        for t in 0..2_000 {
            let one = Move {
                game: 0,
                t,
                obs: &[],
            };
            counts[usize::from(player.action(&one, &outputs))] += 1;
        }
        counts
    };
    assert_eq!(often(PolicyKind::Greedy, 0.0), [0, 0, 2_000, 0, 0]);
    let uniform = often(PolicyKind::Greedy, 1.0);
    assert!(
        uniform.iter().all(|count| count.abs_diff(400) < 80),
        "{uniform:?}"
    );
    // The softmax gives the third 0.71 and the outer ones 0.035 each.
    let drawn = often(PolicyKind::Stochastic, 0.0);
    assert!(
        drawn[2].abs_diff(1_420) < 80 && drawn[0].abs_diff(71) < 40,
        "{drawn:?}"
    );
}

#[test]
fn probabilities_are_the_softmax() {
    let look = Look {
        outputs: vec![1.0, 1.0 + 3.0_f32.ln()],
        value: None,
    };
    let probabilities = look.probabilities();
    assert!((probabilities[0] - 0.25).abs() < 1e-6 && (probabilities[1] - 0.75).abs() < 1e-6);
}
