//! Plans that are refused first, then what a plan says.

use super::*;
use crate::plan::{AgentPlan, ReplaySlack};

const MACHINE: Machine = Machine {
    cores: 8,
    available_bytes: Some(4_000_000_000),
    cuda_devices: 1,
    multiplies_bf16: true,
};

fn asked(sets: &[&str]) -> Asked {
    Asked {
        sets: sets.iter().map(|&set| set.to_owned()).collect(),
        ..Asked::default()
    }
}

fn plan(sets: &[&str]) -> Plan {
    resolve(&asked(sets), &MACHINE).expect("a plan")
}

#[test]
fn what_cannot_be_planned_is_refused_with_its_reason() {
    let check = |sets: &[&str], expected: &str| {
        let mut all = vec!["game=MsPacman"];
        all.extend(sets);
        let error = resolve(&asked(&all), &MACHINE).unwrap_err().to_string();
        assert!(error.contains(expected), "{sets:?}: {error}");
    };
    check(&["game=MsPackman"], "MsPacman");
    check(
        &["learner.precision=half"],
        "unknown variant `half`, expected `float32` or `bf16`",
    );
    check(
        &["a2c.learning_rate=-1"],
        "a2c.learning_rate = -1.0 (--set) must be above 0",
    );
    check(&["a2c.learning_rate=0"], "must be above 0");
    check(&["a2c.learning_rate=nan"], "must be above 0");
    check(&["a2c.learning_rate=inf"], "must be above 0 and finite");
    check(&["a2c.max_grad_norm=0"], "must be above 0");
    check(&["a2c.entropy_coef=-0.1"], "must be 0 or more");
    check(&["a2c.discount=1.01"], "must be between 0 and 1");
    check(&["a2c.discount=nan"], "must be between 0 and 1");
    check(&["a2c.rmsprop_decay=1"], "below 1");
    check(
        &["env.n_envs=0"],
        "env.n_envs = 0 (--set) must be at least 1",
    );
    check(&["env.n_groups=0"], "must be at least 1");
    check(&["a2c.rollout_steps=0"], "must be at least 1");
    check(&["total_steps=0"], "must be at least 1");
    check(&["run.checkpoints_kept=0"], "must be at least 1");
    check(&["env.n_envs=5000"], "must be at most 4096");
    check(&["learner.threads=99999"], "must be at most 1024");
    check(
        &["env.n_envs=6", "env.n_groups=4"],
        "env.n_groups = 4 (--set); --actors can be 1, 2, 3, 6",
    );
    check(
        &["env.n_envs=1"],
        "env.n_groups = 2 (the default); --actors can be 1",
    );
    check(
        &["env.env_threads=9"],
        "more than the 8 environments of each actor",
    );
    check(
        &["total_steps=5"],
        "total_steps = 5 (--set) is less than one update of 80 steps",
    );
    check(&["total_steps=79"], "less than one update");
    check(
        &["torso.coord_radius=true"],
        "is for --torso coordconv; here torso.kind = \"conv\"",
    );
    check(&["torso.coord_layers=all"], "is for --torso coordconv");
    check(&["torso.coord_layers=first"], "is for --torso coordconv");
    check(
        &["env.n_envs=2048"],
        "needs about 7_768 MB of memory, and 4_000 MB are available",
    );
    check(
        &[
            "a2c.rollout_steps=9223372036854775807",
            "total_steps=9223372036854775807",
        ],
        "",
    );
    check(
        &["learner.device=cuda:3"],
        "is not there; found cpu (8 cores), cuda:0",
    );
}

#[test]
fn a_dqn_that_cannot_be_planned_is_refused_with_its_reason() {
    let check = |sets: &[&str], expected: &str| {
        let all = [&["game=Pong", "agent=dqn"], sets].concat();
        let error = resolve(&asked(&all), &MACHINE).unwrap_err().to_string();
        assert!(error.contains(expected), "{sets:?}: {error}");
    };
    check(
        &["dqn.replay_capacity=1M"],
        "needs about 8_024 MB of memory, and 4_000 MB are available",
    );
    check(
        &["dqn.replay_capacity=1M"],
        "--set dqn.replay_capacity=430_000 would fit, or --replay-dir DIR keeps it on disk",
    );
    check(
        &["dqn.n_step=100k"],
        "dqn.replay_capacity = 100000 (the default) is too small for dqn.n_step = 100000 (--set) in each of env.n_envs = 1",
    );
    check(
        &["dqn.replay_capacity=16"],
        "is too small for dqn.batch_size = 32",
    );
    check(&["dqn.replay_capacity=0"], "is too small for");
    check(
        &["total_steps=100k"],
        "total_steps = 100000 (--set) ends before the first update: dqn.learning_starts_steps = 100000",
    );
    check(&["dqn.steps_per_update=0"], "must be at least 1");
    check(&["dqn.epsilon_end=1.5"], "must be between 0 and 1");
    check(&["dqn.learning_rate=0"], "must be above 0");
    check(&["dqn.max_grad_norm=-1"], "must be 0 or more");
    check(
        &["a2c.entropy_coef=0.9"],
        "`a2c.entropy_coef` is a setting of --agent a2c",
    );
    check(
        &["a2c.discount=0.9"],
        "unknown key `a2c.discount`; did you mean `dqn.discount`?",
    );
    let error = resolve(&asked(&["game=Pong", "agent=dqnn"]), &MACHINE).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--set: unknown agent \"dqnn\": expected \"a2c\" or \"dqn\""
    );
}

#[test]
fn a_classic_is_planned_with_values_of_its_own() {
    let found = plan(&["game=cart_pole", "seed=7"]);
    assert_eq!((found.game.as_str(), found.seed), ("CartPole", 7));
    assert_eq!(found.torso.kind.to_string(), "mlp");
    assert_eq!(found.protocol.to_string(), "gym");
    assert_eq!((found.env.n_envs, found.total_steps), (8, 500_000));
    assert!(found.describe().contains("# frames = 500_000 (1 * "));
    let other = plan(&["game=MountainCar", "env.n_envs=4", "total_steps=1k"]);
    assert_eq!((other.env.n_envs, other.total_steps), (4, 1_000));
}

#[test]
fn a_torso_or_protocol_for_another_world_is_refused() {
    let check = |sets: &[&str], expected: &str| {
        let error = resolve(&asked(sets), &MACHINE).unwrap_err().to_string();
        assert_eq!(error, expected, "{sets:?}");
    };
    check(
        &["game=CartPole", "torso.kind=conv"],
        "torso.kind = \"conv\" (--set) is for pictures; CartPole takes --torso mlp",
    );
    check(
        &["game=CartPole", "protocol=machado"],
        "protocol = \"machado\" (--set) is for Atari games; CartPole takes --protocol gym",
    );
    check(
        &["game=Pong", "torso.kind=mlp"],
        "torso.kind = \"mlp\" (--set) is for CartPole and MountainCar; Pong takes --torso conv or coordconv",
    );
    check(
        &["game=Pong", "protocol=gym"],
        "protocol = \"gym\" (--set) is for CartPole and MountainCar; Pong takes --protocol baselines or machado",
    );
    let mut preset = asked(&["game=CartPole"]);
    preset.preset = Some("zoo".to_owned());
    let error = resolve(&preset, &MACHINE).unwrap_err().to_string();
    assert!(
        error.starts_with("--preset zoo is for Atari games; CartPole has"),
        "{error}"
    );
}

#[test]
fn rounds_are_the_least_in_which_whole_updates_follow() {
    let check = |n_envs: &str, every: &str, expected: u64| {
        let sets = ["game=Pong", "agent=dqn"];
        let sizes = [
            format!("env.n_envs={n_envs}"),
            format!("dqn.steps_per_update={every}"),
        ];
        let sets: Vec<&str> = sets
            .into_iter()
            .chain(sizes.iter().map(String::as_str))
            .collect();
        assert_eq!(plan(&sets).steps_per_round(), expected, "{sets:?}");
    };
    check("1", "4", 4);
    check("8", "4", 8);
    check("2", "4", 4);
    check("6", "4", 12);
}

#[test]
fn the_slack_of_a_replay_memory_holds_some_rounds() {
    let slack = |n_envs: usize, every: &str| {
        let every = format!("dqn.steps_per_update={every}");
        let plan = plan(&["game=Pong", "agent=dqn", &every]);
        let AgentPlan::Dqn(dqn, _) = plan.agent else {
            panic!("{:?}", plan.agent)
        };
        let slack = ReplaySlack::of(&dqn, n_envs);
        (slack.slots, slack.late)
    };
    assert_eq!(slack(1, "4"), (10_000, 8));
    assert_eq!(slack(700, "4"), (15, 2));
    assert_eq!(slack(5_000, "4"), (8, 2));
    assert_eq!(slack(1, "10000"), (80_000, 20_000));
}

#[test]
fn a_plan_without_a_game_says_how_to_name_one() {
    let error = resolve(&Asked::default(), &MACHINE).unwrap_err();
    assert!(error.to_string().contains("--game MsPacman"), "{error}");
}

#[test]
fn what_is_left_to_the_machine_is_settled_in_the_plan() {
    let found = plan(&["game=ALE/MsPacman-v5"]);
    assert_eq!(found.game, "MsPacman");
    assert_eq!(found.learner.device, DeviceName::Cuda(0));
    assert_eq!(found.learner.threads, 8);
    assert_eq!(found.env.env_threads, 4);
    let small = plan(&[
        "game=Pong",
        "env.n_envs=4",
        "env.n_groups=4",
        "learner.threads=3",
    ]);
    assert_eq!(small.env.env_threads, 1);
    assert_eq!(small.learner.threads, 3);
    let cpu = Machine {
        cores: 1,
        available_bytes: None,
        cuda_devices: 0,
        multiplies_bf16: false,
    };
    let alone = resolve(&asked(&["game=Pong"]), &cpu).unwrap();
    assert_eq!(alone.learner.device, DeviceName::Cpu);
    assert_eq!(alone.env.env_threads, 1);
}

#[test]
fn named_options_lie_over_set_and_set_over_the_file() {
    let mut asked = asked(&["seed=2", "total_steps=2M"]);
    asked.preset = Some("baselines".to_owned());
    asked.file = Some(ConfigFile {
        name: "my.toml".to_owned(),
        text: "game = \"Pong\"\nseed = 9\ntotal_steps = 9000\n[env]\nn_envs = 4\n".to_owned(),
    });
    asked.flags = vec![("--steps", "total_steps", Value::Integer(3_000_000))];
    let plan = resolve(&asked, &MACHINE).unwrap();
    assert_eq!(
        (plan.total_steps, plan.seed, plan.env.n_envs),
        (3_000_000, 2, 4)
    );
    let AgentPlan::A2c(a2c) = &plan.agent else {
        panic!("{:?}", plan.agent)
    };
    assert!((a2c.value_coef - 0.5).abs() < 1e-12);
}

#[test]
fn a_plan_reads_back_and_can_be_a_config_file() {
    for (agent, torso) in [("a2c", "conv"), ("a2c", "coordconv"), ("dqn", "coordconv")] {
        let agent = format!("agent={agent}");
        let torso = format!("torso.kind={torso}");
        let first = plan(&["game=MsPacman", &agent, &torso, "seed=7"]);
        let text = first.to_toml();
        assert_eq!(toml::from_str::<Plan>(&text).unwrap(), first);
        let file = Some(ConfigFile {
            name: "plan.toml".to_owned(),
            text: first.describe(),
        });
        let again = Asked {
            file,
            ..Asked::default()
        };
        assert_eq!(resolve(&again, &MACHINE).unwrap(), first);
    }
}

#[test]
fn a_described_plan_states_what_follows_from_it() {
    let text = plan(&["game=Pong", "total_steps=1000"]).describe();
    assert!(text.contains("# updates = 13 "), "{text}");
    assert!(text.contains("# steps_per_update = 80 "), "{text}");
    assert!(text.contains("# frames = 4_000 "), "{text}");
    assert!(text.contains("\ngame = \"Pong\"\n"), "{text}");
}

#[test]
fn products_of_bfloat16_are_refused_where_they_would_be_slower() {
    let plan = |device: &str, multiplies_bf16| {
        let device = format!("learner.device={device}");
        let asked = asked(&["game=MsPacman", "learner.precision=bf16", &device]);
        let machine = Machine {
            multiplies_bf16,
            ..MACHINE
        };
        resolve(&asked, &machine)
    };
    let error = plan("cpu", false).unwrap_err().to_string();
    assert!(error.contains("learner.precision = \"bf16\""), "{error}");
    assert!(error.contains("AVX512-BF16"), "{error}");
    assert_eq!(
        plan("cpu", true).unwrap().learner.precision,
        Precision::Bf16
    );
    assert_eq!(
        plan("cuda:0", false).unwrap().learner.precision,
        Precision::Bf16
    );
}
