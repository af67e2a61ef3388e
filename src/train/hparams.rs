//! What a run has in TensorBoard's HParams tab: what tells it from other runs first, then the settings of its agent.

use rlrun_nn::TorsoKind;
use toml::Value;

use crate::config::{defaults, entries};
use crate::plan::{AgentKind, Plan};
use crate::run::hparams::Column;

/// The curves whose last values stand beside the hyper-parameters.
pub(super) const METRICS: [&str; 2] = ["rollout/ep_rew_mean", "eval/mean_reward"];

/// What every agent has: the column, and its key in a plan.
const COMMON: [(&str, &str); 8] = [
    ("game", "game"),
    ("torso", "torso.kind"),
    ("seed", "seed"),
    ("agent", "agent"),
    ("protocol", "protocol"),
    ("env.n_envs", "env.n_envs"),
    ("torso.coord_layers", "torso.coord_layers"),
    ("torso.coord_radius", "torso.coord_radius"),
];

/// How many of these tell one run from another.
const N_TELLING: usize = 5;

/// The columns of all agents.
///
/// # Panics
/// Never: the shipped configurations are TOML.
pub(super) fn columns() -> Vec<Column> {
    let shipped = AgentKind::ALL.map(|agent| {
        let entries = entries(defaults(agent)).expect("a test reads the shipped configurations");
        (agent, entries)
    });
    let common = COMMON.iter().enumerate().map(|(idx, &(name, key))| {
        let mut known = shipped[0].1.iter();
        let default = known.find(|entry| entry.key == key);
        Column {
            name: name.to_owned(),
            // The game has no default, and is a word.
            example: default
                .map_or_else(|| Value::String(String::new()), |entry| entry.value.clone()),
            words: words(name),
            tells_apart: idx < N_TELLING,
        }
    });
    let own = shipped.iter().flat_map(|(agent, entries)| {
        let own = entries.iter().filter(|entry| is_of(*agent, &entry.key));
        own.map(|entry| Column {
            name: entry.key.clone(),
            example: entry.value.clone(),
            words: Vec::new(),
            tells_apart: false,
        })
    });
    common.chain(own).collect()
}

/// The values of the run that `plan` describes.
///
/// # Panics
/// Never: a plan has a form in TOML.
pub(super) fn values(plan: &Plan) -> Vec<(String, Value)> {
    let entries = entries(&plan.to_toml()).expect("a plan is TOML");
    let named = entries.into_iter().filter_map(|entry| {
        let common = COMMON.iter().find(|(_, key)| *key == entry.key);
        let name = match common {
            Some((name, _)) => (*name).to_owned(),
            None if is_of(plan.agent.kind(), &entry.key) => entry.key,
            None => return None,
        };
        Some((name, entry.value))
    });
    named.collect()
}

/// Whether a key stands in the table of an agent.
fn is_of(agent: AgentKind, key: &str) -> bool {
    key.split_once('.')
        .is_some_and(|(table, _)| table == agent.as_str())
}

fn words(column: &str) -> Vec<String> {
    match column {
        "torso" => [TorsoKind::Conv, TorsoKind::CoordConv, TorsoKind::Mlp]
            .map(|kind| kind.to_string())
            .to_vec(),
        "agent" => AgentKind::ALL.map(|kind| kind.to_string()).to_vec(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Asked, Machine, resolve};

    fn plan(agent: &str) -> Plan {
        let sets = ["game=Pong", "seed=7", &format!("agent={agent}")].map(str::to_owned);
        let asked = Asked {
            sets: sets.to_vec(),
            ..Asked::default()
        };
        let machine = Machine {
            cores: 2,
            available_bytes: None,
            cuda_devices: 0,
            multiplies_bf16: true,
        };
        resolve(&asked, &machine).unwrap()
    }

    #[test]
    fn a_run_has_its_own_agents_settings_and_every_value_has_a_column_of_its_type() {
        let columns = columns();
        for (agent, own, other) in [
            ("a2c", "a2c.learning_rate", "dqn."),
            ("dqn", "dqn.double", "a2c."),
        ] {
            let values = values(&plan(agent));
            let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
            for name in ["game", "torso", "seed", "agent", "protocol", own] {
                assert!(names.contains(&name), "{name} in {names:?}");
            }
            assert!(names.iter().all(|name| !name.starts_with(other)));
            for (name, value) in &values {
                let column = columns.iter().find(|column| column.name == *name);
                let example = &column.expect(name).example;
                assert!(example.same_type(value), "{name}");
            }
        }
        let telling = columns.iter().filter(|column| column.tells_apart);
        let telling: Vec<&str> = telling.map(|column| column.name.as_str()).collect();
        assert_eq!(telling, ["game", "torso", "seed", "agent", "protocol"]);
    }
}
