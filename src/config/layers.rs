//! Layers of settings, each laid over the one before, and where every value came from.
//!
//! ```text
//! configs/<agent>.toml <- --preset <- --config FILE <- --set key=value <- named options
//! ```
//!
//! Each value is checked when it is laid: its key against the keys of `configs/<agent>.toml`, its type against the value
//! there, and its words (an enum's names) by deserialising. So an error can name the file and line it came from.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize as _;
use toml::Value;

use super::text::{self, Entry};
use super::{Config, PRESETS, Preset, defaults, parse_count};
use crate::plan::AgentKind;
use crate::request::RequestError;

/// The one key without a default.
const GAME: &str = "game";

/// Where a value came from, as an error cites it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `configs/<agent>.toml`.
    Default,
    /// A file, with the line of the key.
    File {
        /// The file as the user wrote it, or `preset NAME`.
        name: String,
        /// Line of the key, from 1.
        line: usize,
    },
    /// `--set`.
    Set,
    /// A named option, with its dashes.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Set => f.write_str("--set"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

impl Origin {
    /// Whether it was typed on the command line, one value at a time.
    pub(crate) fn is_typed(&self) -> bool {
        matches!(self, Self::Set | Self::Flag(_))
    }
}

/// All keys with the value and origin of the topmost layer that names them.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    agent: AgentKind,
    /// The keys there are, each with a value of its type.
    known: BTreeMap<String, Value>,
    values: BTreeMap<String, (Value, Origin)>,
}

impl Layers {
    /// The bottom layer: the complete configuration of an agent.
    pub(crate) fn defaults(agent: AgentKind) -> Self {
        let mut known = known_keys(agent);
        let values = known
            .iter()
            .map(|(key, value)| (key.clone(), (value.clone(), Origin::Default)))
            .collect();
        known.insert(GAME.to_owned(), Value::String(String::new()));
        Self {
            agent,
            known,
            values,
        }
    }

    /// Lays a preset over what is there.
    ///
    /// # Errors
    /// The agent has no preset of that name.
    pub(crate) fn lay_preset(&mut self, preset: &str) -> Result<(), RequestError> {
        let named = |known: &&Preset| known.name == preset;
        let mut own = PRESETS.iter().filter(|known| known.agent == self.agent);
        if let Some(Preset { name, text, .. }) = own.clone().find(named) {
            return self.lay_file(&format!("preset {name}"), text);
        }
        let agent = self.agent;
        let reason = if let Some(other) = PRESETS.iter().find(named) {
            let own: Vec<String> = own.map(|known| format!("`{}`", known.name)).collect();
            format!(
                "preset `{preset}` is one of --agent {}; here the agent is {agent}, which has {}",
                other.agent,
                own.join(", ")
            )
        } else {
            let nearest = nearest(preset, own.by_ref().map(|known| known.name));
            format!("unknown preset `{preset}`; did you mean `{nearest}`?")
        };
        Err(RequestError::new(reason))
    }

    /// Lays the text of a configuration file over what is there.
    ///
    /// # Errors
    /// Not TOML, an unknown key or a value of the wrong type; with file, line and key.
    pub(crate) fn lay_file(&mut self, name: &str, text: &str) -> Result<(), RequestError> {
        let entries = text::entries(text).map_err(|error| {
            let (line, message, source) = (error.line, error.message, error.source);
            RequestError::new(format!("{name}:{line}: not TOML: {message}, in `{source}`"))
        })?;
        for Entry { key, value, line } in entries {
            let name = name.to_owned();
            let origin = Origin::File { name, line };
            if value.is_table() && !self.known.contains_key(&key) {
                self.check_section(&key, &origin)?;
                continue;
            }
            self.lay(&key, value, origin)?;
        }
        Ok(())
    }

    /// Lays `key=value` as `--set` gives it; the value is read by the type of the key.
    ///
    /// # Errors
    /// No `=`, an unknown key or a value of the wrong type.
    pub(crate) fn lay_set(&mut self, assignment: &str) -> Result<(), RequestError> {
        let Some((key, value)) = assignment.split_once('=') else {
            return Err(RequestError::new(format!(
                "--set {assignment}: expected key=value, for example --set a2c.learning_rate=1e-3"
            )));
        };
        let (key, value) = (key.trim(), value.trim().trim_matches('"'));
        let known = self.known_value(key, &Origin::Set)?;
        let wrong = |expected: &str| {
            RequestError::new(format!("--set: {key} must be {expected}, not `{value}`"))
        };
        let value = match known {
            Value::Integer(_) => {
                let count = parse_count(value).map_err(|reason| {
                    RequestError::new(format!("--set {key}={value}: {reason}"))
                })?;
                Value::Integer(i64::try_from(count).expect("a count fits in an i64"))
            }
            Value::Float(_) => Value::Float(value.parse().map_err(|_| wrong("a number"))?),
            Value::Boolean(_) => Value::Boolean(value.parse().map_err(|_| wrong("true or false"))?),
            _ => Value::String(value.to_owned()),
        };
        self.lay(key, value, Origin::Set)
    }

    /// Lays one value.
    ///
    /// # Errors
    /// An unknown key, or a value of the wrong type; with its origin.
    pub(crate) fn lay(
        &mut self,
        key: &str,
        value: Value,
        origin: Origin,
    ) -> Result<(), RequestError> {
        check_type(key, self.known_value(key, &origin)?, &value, &origin)?;
        let at = origin.to_string();
        self.values.insert(key.to_owned(), (value, origin));
        self.config().map(|_| ()).map_err(|error| {
            // The second line of serde's message names the key, which stands in front already.
            let reason = error.message().lines().next().unwrap_or("wrong value");
            RequestError::new(format!("{at}: {key}: {reason}"))
        })
    }

    /// The configuration that the layers make together.
    ///
    /// # Errors
    /// A name that an enum does not have; [`Layers::lay`] has refused it before.
    pub(crate) fn config(&self) -> Result<Config, toml::de::Error> {
        let mut root = toml::Table::new();
        for (key, (value, _)) in &self.values {
            match key.split_once('.') {
                None => {
                    root.insert(key.clone(), value.clone());
                }
                Some((section, name)) => {
                    let table = root
                        .entry(section)
                        .or_insert_with(|| Value::Table(toml::Table::new()));
                    if let Value::Table(table) = table {
                        table.insert(name.to_owned(), value.clone());
                    }
                }
            }
        }
        Config::deserialize(root)
    }

    /// Where the value of a key came from.
    pub(crate) fn origin(&self, key: &str) -> &Origin {
        self.values
            .get(key)
            .map_or(&Origin::Default, |(_, origin)| origin)
    }

    /// A value with its key and origin, as an error cites it: `env.n_envs = 5 (--envs)`.
    pub(crate) fn cite(&self, key: &str) -> String {
        match self.values.get(key) {
            Some((value, origin)) => format!("{key} = {value} ({origin})"),
            None => format!("{key} (not set)"),
        }
    }

    fn is_section(&self, key: &str) -> bool {
        self.sections().any(|section| section == key)
    }

    fn sections(&self) -> impl Iterator<Item = &str> {
        self.known
            .keys()
            .filter_map(|key| Some(key.split_once('.')?.0))
    }

    fn check_section(&self, key: &str, origin: &Origin) -> Result<(), RequestError> {
        if self.is_section(key) {
            return Ok(());
        }
        if let Some(agent) = AgentKind::ALL
            .into_iter()
            .find(|agent| agent.as_str() == key)
        {
            return Err(RequestError::new(format!(
                "{origin}: `{key}` are the settings of --agent {agent}; here the agent is {}",
                self.agent
            )));
        }
        let nearest = nearest(key, self.sections());
        Err(RequestError::new(format!(
            "{origin}: unknown table `{key}`; did you mean `{nearest}`?"
        )))
    }

    /// The default of a key, which has its type.
    fn known_value(&self, key: &str, origin: &Origin) -> Result<&Value, RequestError> {
        self.known.get(key).ok_or_else(|| {
            if self.is_section(key) {
                return RequestError::new(format!("{origin}: `{key}` is a table of settings"));
            }
            if let Some((owner, theirs)) = self.of_another_agent(key) {
                return RequestError::new(format!(
                    "{origin}: the agent {} has no `{key}`; `{theirs}` is a setting of --agent {owner}",
                    self.agent
                ));
            }
            let nearest = elsewhere(key, self.agent)
                .unwrap_or_else(|| nearest(key, self.known.keys().map(String::as_str)));
            RequestError::new(format!(
                "{origin}: unknown key `{key}`; did you mean `{nearest}`?"
            ))
        })
    }

    /// The agent that has this key, or one of the same name in its own table, when ours has neither.
    fn of_another_agent(&self, key: &str) -> Option<(AgentKind, String)> {
        let name = key.split_once('.')?.1;
        let is_ours = |own: &String| own.split_once('.').is_some_and(|(_, own)| own == name);
        if elsewhere(key, self.agent).is_some() || self.known.keys().any(is_ours) {
            return None;
        }
        AgentKind::ALL
            .into_iter()
            .filter(|agent| *agent != self.agent)
            .find_map(|agent| {
                let theirs = known_keys(agent);
                [key.to_owned(), format!("{agent}.{name}")]
                    .into_iter()
                    .find(|key| theirs.contains_key(key) && !self.known.contains_key(key))
                    .map(|key| (agent, key))
            })
    }
}

/// The keys of an agent's configuration, each with its default.
fn known_keys(agent: AgentKind) -> BTreeMap<String, Value> {
    text::entries(defaults(agent))
        .expect("a test reads the shipped configurations")
        .into_iter()
        .filter(|entry| !entry.value.is_table())
        .map(|entry| (entry.key, entry.value))
        .collect()
}

/// Refuses a value of another type than the default; a whole number may stand where a decimal one does.
fn check_type(key: &str, known: &Value, value: &Value, at: &Origin) -> Result<(), RequestError> {
    let expected = match (known, value) {
        (Value::Integer(_), Value::Integer(count)) if *count < 0 => "0 or more",
        (Value::Float(_), Value::Integer(_)) => return Ok(()),
        _ if known.same_type(value) => return Ok(()),
        (Value::Integer(_), _) => "a whole number",
        (Value::Float(_), _) => "a number",
        (Value::Boolean(_), _) => "true or false",
        _ => "a string in quotes",
    };
    let got = if value.is_table() {
        "a table".to_owned()
    } else {
        value.to_string()
    };
    Err(RequestError::new(format!(
        "{at}: {key} must be {expected}, not {got}"
    )))
}

/// Our key for a name that other projects, or our own options, give it.
fn elsewhere(wanted: &str, agent: AgentKind) -> Option<&'static str> {
    let (a2c, dqn) = match wanted.rsplit('.').next()? {
        "lr" => ("a2c.learning_rate", "dqn.learning_rate"),
        "gamma" => ("a2c.discount", "dqn.discount"),
        "n_steps" | "nsteps" => ("a2c.rollout_steps", "dqn.n_step"),
        "buffer_size" | "replay_size" => {
            return (agent == AgentKind::Dqn).then_some("dqn.replay_capacity");
        }
        "steps" | "n_timesteps" | "total_timesteps" => ("total_steps", "total_steps"),
        "actors" | "n_actors" => ("env.n_groups", "env.n_groups"),
        _ => return None,
    };
    Some(match agent {
        AgentKind::A2c => a2c,
        AgentKind::Dqn => dqn,
    })
}

/// The name that takes the fewest edits, of the whole key or of its last part.
fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> &'a str {
    let last = |key: &str| key.rsplit('.').next().map_or(String::new(), str::to_owned);
    let distance = |name: &str| {
        let whole = strsim::damerau_levenshtein(wanted, name);
        // A right name in the wrong table is nearer than a wrong name in the right one.
        let part = 1 + strsim::damerau_levenshtein(&last(wanted), &last(name));
        whole.min(part)
    };
    names.min_by_key(|name| distance(name)).unwrap_or("")
}

#[cfg(test)]
mod tests;
