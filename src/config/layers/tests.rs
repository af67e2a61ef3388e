//! Wrong layers first, then their order.

use rlrun_agents::a2c::Schedule;
use rlrun_envs::ClassicGame;

use super::*;
use crate::config::classic_preset;

fn refusal(lay: impl FnOnce(&mut Layers) -> Result<(), RequestError>) -> String {
    let mut layers = Layers::defaults(AgentKind::A2c);
    lay(&mut layers).expect_err("refused").to_string()
}

#[test]
fn a_wrong_file_is_refused_with_file_line_and_key() {
    let check = |text: &str, expected: &str| {
        let error = refusal(|layers| layers.lay_file("my.toml", text));
        assert!(error.contains(expected), "{text:?}: {error}");
    };
    check("seed = 1\ngame = MsPacman", "my.toml:2: not TOML:");
    check("seed = 1\ngame = MsPacman", "`game = MsPacman`");
    check(
        "\n[a2c]\nlearnin_rate = 1.0",
        "my.toml:3: unknown key `a2c.learnin_rate`; did you mean `a2c.learning_rate`?",
    );
    check("learning_rate = 1.0", "did you mean `a2c.learning_rate`?");
    check("[env]\ndiscount = 1.0", "did you mean `a2c.discount`?");
    check(
        "[a3c]\ndiscount = 1.0",
        "my.toml:1: unknown table `a3c`; did you mean `a2c`?",
    );
    check("env = 3", "my.toml:1: `env` is a table of settings");
    check(
        "seed.x = 3",
        "my.toml:1: seed must be a whole number, not a table",
    );
    check(
        "[a2c]\ndiscount = \"x\"",
        "my.toml:2: a2c.discount must be a number, not \"x\"",
    );
    check("total_steps = 1e6", "must be a whole number, not");
    check(
        "[env]\nn_envs = -4",
        "my.toml:2: env.n_envs must be 0 or more, not -4",
    );
    check("[torso]\ncoord_radius = 1", "must be true or false, not 1");
    check("protocol = 1", "must be a string in quotes, not 1");
    check(
        "[torso]\nkind = \"coord\"",
        "my.toml:2: torso.kind: unknown variant `coord`",
    );
    check(
        "\nprotocol = \"nature\"",
        "my.toml:2: protocol: unknown variant `nature`",
    );
    check("agent = \"ppo\"", "my.toml:1: agent: unknown variant `ppo`");
    check(
        "[dqn]\ndouble = true",
        "my.toml:1: `dqn` are the settings of --agent dqn; here the agent is a2c",
    );
    check("[learner]\ndevice = \"gpu\"", "my.toml:2: learner.device: ");
    check("seed = [1, 2]", "must be a whole number, not [1, 2]");
}

#[test]
fn a_wrong_assignment_is_refused() {
    let check = |assignment: &str, expected: &str| {
        let error = refusal(|layers| layers.lay_set(assignment));
        assert!(error.contains(expected), "{assignment}: {error}");
    };
    check("a2c.learning_rate", "expected key=value");
    check(
        "a2c.lr=1",
        "--set: unknown key `a2c.lr`; did you mean `a2c.learning_rate`?",
    );
    check("gamma=1", "did you mean `a2c.discount`?");
    check("n_env=4", "did you mean `env.n_envs`?");
    check("a2c=4", "`a2c` is a table of settings");
    check(
        "a2c.double=true",
        "--set: the agent a2c has no `a2c.double`; `dqn.double` is a setting of --agent dqn",
    );
    check(
        "dqn.double=true",
        "the agent a2c has no `dqn.double`; `dqn.double` is a setting of --agent dqn",
    );
    check(
        "a2c.discount=high",
        "--set: a2c.discount must be a number, not `high`",
    );
    check("env.n_envs=-4", "must not be negative");
    check("env.n_envs=4.5", "whole number");
    check("torso.coord_radius=yes", "must be true or false, not `yes`");
    check(
        "a2c.learning_rate_schedule=cosine",
        "unknown variant `cosine`",
    );
}

#[test]
fn an_unknown_preset_suggests_the_nearest() {
    let error = refusal(|layers| layers.lay_preset("baseline"));
    assert_eq!(
        error,
        "unknown preset `baseline`; did you mean `baselines`?"
    );
    let error = refusal(|layers| layers.lay_preset("dopamine"));
    assert_eq!(
        error,
        "preset `dopamine` is one of --agent dqn; here the agent is a2c, which has `zoo`, `baselines`"
    );
}

#[test]
fn every_shipped_config_and_preset_loads() {
    for preset in PRESETS {
        let mut layers = Layers::defaults(preset.agent);
        let defaults = layers.config().unwrap();
        assert_eq!(defaults.game, None);
        assert_eq!(defaults.agent().kind(), preset.agent);
        layers.lay_preset(preset.name).unwrap();
        let config = layers.config().unwrap();
        // The defaults are the zoo's values on Atari.
        let name = preset.name;
        assert_eq!(config == defaults, name == "zoo", "{} {name}", preset.agent);
    }
}

#[test]
fn every_classic_has_values_of_its_own() {
    let both = AgentKind::ALL.into_iter();
    for (agent, game) in both.flat_map(|agent| ClassicGame::ALL.map(|game| (agent, game))) {
        let mut layers = Layers::defaults(agent);
        let (name, text) = classic_preset(agent, game);
        layers.lay_file(name, text).unwrap();
        let config = layers.config().unwrap();
        assert_eq!(config.torso.kind.to_string(), "mlp", "{game:?}");
        assert_eq!(config.protocol.to_string(), "gym", "{game:?}");
    }
}

#[test]
fn each_layer_lies_over_the_one_before() {
    let mut layers = Layers::defaults(AgentKind::A2c);
    let rate = |layers: &Layers| layers.config().unwrap().a2c.unwrap().learning_rate;
    let is = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-12, "{got}");

    layers.lay_preset("baselines").unwrap();
    is(rate(&layers), 7e-4);
    let text = "game = \"Pong\"\n[a2c]\nlearning_rate = 2\nvalue_coef = 0.125\n";
    layers.lay_file("my.toml", text).unwrap();
    is(rate(&layers), 2.0);
    assert_eq!(
        layers.cite("a2c.learning_rate"),
        "a2c.learning_rate = 2 (my.toml:3)"
    );
    layers.lay_set("a2c.learning_rate=1e-3").unwrap();
    is(rate(&layers), 1e-3);
    layers.lay_set("total_steps=20k").unwrap();
    let flag = Origin::Flag("--game");
    layers
        .lay(GAME, Value::String("MsPacman".to_owned()), flag)
        .unwrap();

    let config = layers.config().unwrap();
    assert_eq!(config.game.as_deref(), Some("MsPacman"));
    assert_eq!(config.total_steps, 20_000);
    let a2c = config.a2c.unwrap();
    is(a2c.value_coef, 0.125);
    assert_eq!(a2c.learning_rate_schedule, Schedule::Linear);
    assert_eq!(layers.origin("seed"), &Origin::Default);
    assert!(layers.origin(GAME).is_typed());
    assert_eq!(layers.cite(GAME), "game = \"MsPacman\" (--game)");
}
