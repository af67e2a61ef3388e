//! Wrong command lines first, then what right ones ask for.

use clap::CommandFactory as _;

use super::*;
use crate::plan::{AgentKind, FolderRequest, Machine, Threading, TrainRequest};

const MACHINE: Machine = Machine {
    cores: 2,
    available_bytes: Some(8_000_000_000),
    cuda_devices: 0,
    multiplies_bf16: false,
};

fn command(line: &str) -> Result<Command, clap::Error> {
    let words = std::iter::once("rlrun").chain(line.split_whitespace());
    parse(words.map(OsString::from))
}

/// What `train` makes of a line; both kinds of refusal as text.
fn action(line: &str) -> Result<TrainAction, String> {
    match command(line).map_err(|error| error.to_string())? {
        Command::Train(args) => args.action(&MACHINE).map_err(|error| error.to_string()),
        other => panic!("{line}: {other:?}"),
    }
}

fn request(line: &str) -> TrainRequest {
    match action(line) {
        Ok(TrainAction::Train(request)) => *request,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn wrong_command_lines_are_refused_with_their_reason() {
    let check = |line: &str, expected: &str| {
        let error = action(line).expect_err(line);
        assert!(error.contains(expected), "{line}: {error}");
    };
    check("", "no game is named");
    check(
        "--game MsPackman",
        "--game: unknown game \"MsPackman\": did you mean `MsPacman`?",
    );
    check(
        "--game Pong --torso coord",
        "[possible values: conv, coordconv, mlp]",
    );
    check("--game Pong --torso coord", "a similar value exists");
    check("--game Pong --agent ppo", "[possible values: a2c, dqn]");
    check(
        "--game Pong --protocol nature",
        "[possible values: baselines, machado, gym]",
    );
    check(
        "--game Pong --preset nature",
        "preset `nature` is one of --agent dqn; here the agent is a2c, which has `zoo`, `baselines`",
    );
    check(
        "--game Pong --coord-layers none",
        "[possible values: first, all]",
    );
    check(
        "--game Pong --learning-rate 1",
        "unexpected argument '--learning-rate'",
    );
    check("--game Pong --stepps 1", "'--steps'");
    check("--game Pong --steps many", "expected a whole number");
    check("--game Pong --steps -5", "must not be negative");
    check("--game Pong --steps 0.5", "must come out as a whole number");
    check("--game Pong --seed -1", "must not be negative");
    check(
        "--game Pong --seed 99999999999999999999",
        "write it as digits",
    );
    check(
        "--game Pong --envs 0",
        "env.n_envs = 0 (--envs) must be at least 1",
    );
    check(
        "--game Pong --envs 5",
        "env.n_envs = 5 (--envs) cannot be shared out evenly",
    );
    check(
        "--game Pong --envs 3000",
        "env.n_envs = 3000 (--envs) with a2c.rollout_steps = 5",
    );
    check("--game Pong --envs 1M", "must be at most 4096");
    check(
        "--game Pong --actors 0",
        "env.n_groups = 0 (--actors) must be at least 1",
    );
    check("--game Pong --actors 3", "--actors can be 1, 2, 4, 8, 16");
    check(
        "--game Pong --steps 5",
        "total_steps = 5 (--steps) is less than one update of 80 steps",
    );
    check("--game Pong --device gpu", "unknown device `gpu`");
    check(
        "--game Pong --device cuda",
        "learner.device = \"cuda:0\" (--device) is not there; found cpu (2 cores)",
    );
    check(
        "--game Pong --coord-radius",
        "torso.coord_radius = true (--coord-radius) is for --torso coordconv",
    );
    check(
        "--game Pong --torso conv --coord-layers first",
        "here torso.kind = \"conv\" (--torso)",
    );
    check(
        "--game Pong --set a2c.learning_rate=-1",
        "a2c.learning_rate = -1.0 (--set) must be above 0",
    );
    check("--game Pong --set a2c.rate=1", "unknown key `a2c.rate`");
    check(
        "--game Pong --config no/such.toml",
        "--config no/such.toml: ",
    );
    check("--game Pong --name a/b", "--name `a/b`: a name is made of");
    check("--game Pong --name ..", "--name `..`");
    check("--game Pong games", "cannot be used with");
    check("--resume no/such/run", "no run folder");
}

#[test]
fn a_resumed_run_refuses_by_name_what_would_change_its_plan() {
    let options = [
        "--game Pong",
        "--agent a2c",
        "--torso conv",
        "--coord-layers all",
        "--coord-radius",
        "--protocol machado",
        "--seed 1",
        "--envs 4",
        "--actors 1",
        "--threads 1",
        "--preset zoo",
        "--config x.toml",
        "--set seed=1",
        "--runs x",
        "--name x",
        "--dry-run",
    ];
    for option in options {
        let error = action(&format!("--resume x {option}")).expect_err(option);
        let flag = option.split(' ').next().expect("a word");
        assert!(
            error.starts_with(&format!("{flag} does not go with --resume")),
            "{error}"
        );
    }
    for option in [
        "--steps 2M",
        "--device cpu",
        "--quiet",
        "--serial",
        "--share-cores",
    ] {
        let error = action(&format!("--resume no/such {option}")).expect_err(option);
        assert!(error.contains("no run folder"), "{error}");
    }
}

#[test]
fn train_is_the_default_command() {
    let short = request("--game MsPacman --torso coordconv --steps 20k --seed 3");
    let long = request("train --game MsPacman --torso coordconv --steps 20k --seed 3");
    assert_eq!(short.plan, long.plan);
    assert_eq!(short.plan.total_steps, 20_000);
    assert_eq!(short.threading, Threading::Actors);
    assert!(!short.quiet);
    assert!(
        matches!(short.folder, FolderRequest::Create { runs_root, name: None } if runs_root.ends_with("runs"))
    );
}

#[test]
fn every_named_option_reaches_the_plan() {
    let request = request(
        "--game Pong --agent a2c --torso coordconv --coord-layers all --coord-radius --protocol machado --steps 1M \
         --seed 5 --envs 8 --actors 4 --threads 3 --device cpu --preset baselines --set a2c.discount=0.5 \
         --runs out --name first --quiet --serial",
    );
    let plan = &request.plan;
    let text = plan.to_toml();
    for line in [
        "game = \"Pong\"",
        "protocol = \"machado\"",
        "total_steps = 1000000",
        "seed = 5",
        "n_envs = 8",
        "n_groups = 4",
        "threads = 3",
        "device = \"cpu\"",
        "kind = \"coordconv\"",
        "coord_layers = \"all\"",
        "coord_radius = true",
        "value_coef = 0.5",
        "discount = 0.5",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
    }
    assert_eq!(request.threading, Threading::Serial);
    assert!(request.quiet);
    assert!(
        matches!(request.folder, FolderRequest::Create { name: Some(name), .. } if name == "first")
    );
}

#[test]
fn a_dry_run_describes_the_plan() {
    match action("--game Pong --dry-run") {
        Ok(TrainAction::Describe(text)) => assert!(text.contains("# updates = 125_000"), "{text}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_words_of_options_are_those_of_the_configuration() {
    for option in ["--torso", "--coord-layers", "--protocol", "--agent"] {
        let command = Cli::command();
        let name = option.trim_start_matches('-').replace('-', "_");
        let arg = command
            .get_arguments()
            .find(|arg| arg.get_id() == name.as_str());
        for value in arg.expect(option).get_possible_values() {
            let torso = if name == "coord_layers" {
                "--torso coordconv"
            } else {
                ""
            };
            let word = value.get_name();
            let game = match word {
                "mlp" | "gym" => "CartPole",
                _ => "Pong",
            };
            action(&format!("--game {game} {option} {word} {torso}")).expect(word);
        }
    }
    for preset in crate::config::PRESETS {
        let (agent, name) = (preset.agent, preset.name);
        // A million transitions need not fit into this machine.
        let small = match agent {
            AgentKind::A2c => "",
            AgentKind::Dqn => "--set dqn.replay_capacity=20k",
        };
        action(&format!(
            "--game Pong --agent {agent} --preset {name} {small}"
        ))
        .expect(name);
    }
}

#[test]
fn the_command_line_is_well_formed() {
    Cli::command().debug_assert();
}
