//! Sweep files: `configs/sweeps/*.toml`, or one of the user's. The keys are explained in `configs/sweeps/small.toml`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Value;

use super::seeds::Seeds;
use crate::config::{Entry, entries, line_of};
use crate::plan::ConfigFile;
use crate::request::RequestError;

/// The sweeps that have a name, and their files.
const NAMED: [(&str, &str); 2] = [
    ("small", include_str!("../../configs/sweeps/small.toml")),
    (
        "coordconv-9-games",
        include_str!("../../configs/sweeps/coordconv-9-games.toml"),
    ),
];

/// What the grid decides, and the key of a sweep file that says it; no place for it in `[set]`.
pub(super) const OF_THE_GRID: [(&str, &str); 5] = [
    ("game", "games"),
    ("torso.kind", "torsos"),
    ("seed", "seeds"),
    ("agent", "agent"),
    ("total_steps", "steps"),
];

/// The keys of a sweep file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    pub(super) games: Option<Vec<String>>,
    pub(super) torsos: Option<Vec<String>>,
    pub(super) seeds: Option<Seeds>,
    pub(super) agent: Option<String>,
    pub(super) preset: Option<String>,
    pub(super) steps: Option<u64>,
    pub(super) tag: Option<String>,
    pub(super) jobs: Option<usize>,
    pub(super) runs: Option<PathBuf>,
    #[expect(dead_code, reason = "read as entries, which know their lines")]
    set: Option<toml::Table>,
}

/// A sweep file.
#[derive(Debug)]
pub(super) struct SweepFile {
    name: String,
    pub(super) keys: Keys,
    entries: Vec<Entry>,
}

impl SweepFile {
    /// Reads the sweep of that name, or the file of that path.
    ///
    /// # Errors
    /// No such sweep or file, or a file that is wrong, with its line.
    pub(super) fn read(path: &Path) -> Result<Self, RequestError> {
        if let Some((name, text)) = NAMED.iter().find(|(name, _)| Path::new(name) == path) {
            return Self::parse(&format!("sweep {name}"), text);
        }
        let name = path.display();
        let text = fs::read_to_string(path).map_err(|error| {
            RequestError::new(format!(
                "{name}: {error}; a sweep is {} or the path of a TOML file",
                NAMED.map(|(name, _)| name).join(", ")
            ))
        })?;
        Self::parse(&name.to_string(), &text)
    }

    pub(super) fn parse(name: &str, text: &str) -> Result<Self, RequestError> {
        let wrong =
            |line: usize, reason: &str| RequestError::new(format!("{name}:{line}: {reason}"));
        let entries = entries(text).map_err(|error| {
            let reason = format!("not TOML: {}, in `{}`", error.message, error.source);
            wrong(error.line, &reason)
        })?;
        let keys = toml::from_str(text).map_err(|error| {
            let line = line_of(text, error.span().map_or(0, |span| span.start));
            wrong(line, error.message().lines().next().unwrap_or("wrong"))
        })?;
        for entry in &entries {
            let set = entry.key.strip_prefix("set.");
            if let Some((key, own)) = OF_THE_GRID.iter().find(|(key, _)| set == Some(*key)) {
                let reason =
                    format!("{key} is decided by the grid: say it with `{own}`, outside of [set]");
                return Err(wrong(entry.line, &reason));
            }
        }
        let name = name.to_owned();
        Ok(Self {
            name,
            keys,
            entries,
        })
    }

    /// A key of this file with its place, as an error cites it.
    pub(super) fn cite(&self, key: &str) -> String {
        let entry = self.entries.iter().find(|entry| entry.key == key);
        entry.map_or_else(
            || self.name.clone(),
            |entry| format!("{}:{}: {key}", self.name, entry.line),
        )
    }

    /// Whether the file says what the grid decides as the plan's key `key`.
    pub(super) fn says(&self, key: &str) -> bool {
        let own = OF_THE_GRID.iter().find(|(decided, _)| *decided == key);
        own.is_some_and(|(_, own)| self.entries.iter().any(|entry| entry.key == *own))
    }

    /// What the file says of one run, as a configuration file in which each value stands on the line that it has here: what is `decided`
    /// by the grid, as pairs of a plan's key and a value, and what stands in `[set]`.
    pub(super) fn layer(&self, decided: &[(&str, Value)]) -> ConfigFile {
        let mut assignments: Vec<(usize, String)> = Vec::new();
        for entry in &self.entries {
            let of_the_grid = OF_THE_GRID.iter().find(|(_, own)| *own == entry.key);
            let decided = decided
                .iter()
                .find(|(key, _)| of_the_grid.is_some_and(|(wanted, _)| wanted == key));
            if let Some((key, value)) = decided {
                assignments.push((entry.line, assignment(key, value)));
            } else if let Some(key) = entry.key.strip_prefix("set.")
                && !entry.value.is_table()
            {
                assignments.push((entry.line, assignment(key, &entry.value)));
            }
        }
        let mut text = String::new();
        let mut line = 1;
        for (wanted, assignment) in assignments {
            while line < wanted {
                text.push('\n');
                line += 1;
            }
            // Several on one line, in an inline table, come below each other.
            let _ = writeln!(text, "{assignment}");
            line += 1;
        }
        ConfigFile::of_text(&self.name, text)
    }
}

/// `"a2c"."learning_rate" = 0.001`: in quotes, as a key may have been.
fn assignment(key: &str, value: &Value) -> String {
    let key: Vec<String> = key
        .split('.')
        .map(|part| Value::String(part.to_owned()).to_string())
        .collect();
    format!("{} = {value}", key.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        SweepFile::parse("s.toml", text).unwrap_err().to_string()
    }

    #[test]
    fn a_wrong_file_is_refused_with_its_line() {
        let check = |text: &str, expected: &str| {
            let error = refusal(text);
            assert!(error.contains(expected), "{error}");
        };
        check(
            "games = [\"Pong\"]\nseed = 1\n",
            "s.toml:2: unknown field `seed`",
        );
        check("games = Pong\n", "s.toml:1: not TOML");
        check(
            "games = \"Pong\"\n",
            "s.toml:1: invalid type: string \"Pong\"",
        );
        check("\n\nseeds = \"5-1\"\n", "s.toml:3: `5-1` runs backwards");
        check("games = []\nseeds = []\n", "s.toml:2: no seeds");
        check("seeds = 1\n", "s.toml:1: seeds are a list of numbers");
        check("steps = -1\n", "s.toml:1: invalid value");
        check(
            "games = [\"Pong\"]\n[set]\nenv.n_envs = 8\ntotal_steps = 5\n",
            "s.toml:4: total_steps is decided by the grid: say it with `steps`",
        );
        check(
            "[set.torso]\nkind = \"conv\"\n",
            "s.toml:2: torso.kind is decided",
        );
        check("[sett]\n", "unknown field `sett`");
        let error = SweepFile::read(Path::new("medium"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("small, coordconv-9-games or the path"),
            "{error}"
        );
    }
}
