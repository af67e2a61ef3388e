//! Runs of other programs, from their TensorBoard files: `--import NAME=PATH[,game=G][,seed=N][,protocol=P]`.
//!
//! What is not said is read from the names of the folders, as CleanRL (`BreakoutNoFrameskip-v4__dqn_atari__1__1700000000`) and
//! SB3 or its Zoo (`MsPacmanNoFrameskip-v4_1`, `BreakoutNoFrameskip-v4/A2C_1`) give them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rlrun_envs::{ProtocolName, World};

use super::{Gathered, LeftOut, Run, Status, event_scalars};
use crate::config::parse_count;
use crate::request::RequestError;

/// Folders of event files are looked for this far below the given path.
const DEPTH: usize = 6;

/// One `--import`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    name: String,
    path: PathBuf,
    game: Option<String>,
    seed: Option<u64>,
    protocol: Option<ProtocolName>,
}

impl Import {
    /// Reads the value of the option.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, RequestError> {
        let wrong = |why: String| RequestError::new(format!("--import {text}: {why}"));
        let (name, rest) = text
            .split_once('=')
            .filter(|(name, path)| !name.is_empty() && !path.is_empty())
            .ok_or_else(|| {
                wrong("write NAME=PATH, as in --import cleanrl=runs/Breakout__dqn__1".to_owned())
            })?;
        let mut import = Self {
            name: name.to_owned(),
            path: PathBuf::new(),
            game: None,
            seed: None,
            protocol: None,
        };
        let mut path = rest;
        while let Some((before, key, value)) = last_setting(path) {
            import.set(key, value).map_err(wrong)?;
            path = before;
        }
        import.path = PathBuf::from(path);
        if !import.path.exists() {
            return Err(wrong(format!("there is no {path}")));
        }
        Ok(import)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "game" => {
                let world = World::resolve(value).map_err(|error| error.to_string())?;
                self.game = Some(world.name().to_owned());
            }
            "seed" => self.seed = Some(parse_count(value)?),
            _ => self.protocol = Some(value.parse().map_err(|error| format!("{error}"))?),
        }
        Ok(())
    }

    /// Adds the runs at and below the path.
    ///
    /// # Errors
    /// When there is none, or one whose game or protocol nothing tells.
    pub(super) fn read(&self, gathered: &mut Gathered) -> Result<(), RequestError> {
        let mut found = Vec::new();
        walk(&self.path, DEPTH, &mut found);
        if found.is_empty() {
            return Err(self.wrong("there is no event file (events.out.tfevents.*) at or below it"));
        }
        let mut numbers: BTreeMap<String, u64> = BTreeMap::new();
        for path in found {
            let files = event_scalars::files_of(&path);
            match event_scalars::read(&files) {
                Ok(scalars) => gathered.runs.push(self.run(path, scalars, &mut numbers)?),
                Err(why) => gathered.left_out.push(LeftOut { path, why }),
            }
        }
        Ok(())
    }

    fn run(
        &self,
        path: PathBuf,
        scalars: event_scalars::Scalars,
        numbers: &mut BTreeMap<String, u64>,
    ) -> Result<Run, RequestError> {
        let told = Told::by(&path.canonicalize().unwrap_or_else(|_| path.clone()));
        let game = self.game.clone().or(told.game).ok_or_else(|| {
            self.wrong("its name tells no game; add it: --import NAME=PATH,game=Breakout")
        })?;
        let protocol = self.protocol.or(told.protocol).ok_or_else(|| {
            self.wrong("its name tells no protocol; add it: --import NAME=PATH,protocol=baselines (or machado)")
        })?;
        let number = numbers.entry(game.clone()).or_insert(0);
        *number += 1;
        let mut notes = scalars.notes;
        let seed = self.seed.or(told.seed).unwrap_or_else(|| {
            notes.push("Its name tells no seed; it is numbered in the order of names.".to_owned());
            *number
        });
        if self.protocol.is_none() {
            notes.push(format!(
                "Its protocol, {protocol}, is taken from the name of its environment."
            ));
        }
        let steps = scalars.history.points().last().map_or(0, |&(step, _)| step);
        Ok(Run {
            path,
            status: Status::Imported,
            game,
            variant: self.name.clone(),
            torso: None,
            protocol,
            seed,
            settings: BTreeMap::new(),
            history: scalars.history,
            steps,
            wall_seconds: Some(scalars.wall_seconds),
            notes,
        })
    }

    fn wrong(&self, why: &str) -> RequestError {
        RequestError::new(format!(
            "--import {}={}: {why}",
            self.name,
            self.path.display()
        ))
    }
}

/// The last `,key=value` of a text, if its key is one of ours: paths may have commas.
fn last_setting(text: &str) -> Option<(&str, &str, &str)> {
    let (before, setting) = text.rsplit_once(',')?;
    let (key, value) = setting.split_once('=')?;
    ["game", "seed", "protocol"]
        .contains(&key)
        .then_some((before, key, value))
}

/// Adds `path` if it is an event file or a folder of some, and what is below it, in the order of names.
fn walk(path: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    if !event_scalars::files_of(path).is_empty() {
        found.push(path.to_owned());
    }
    let Some(depth) = depth.checked_sub(1) else {
        return;
    };
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut below: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    below.sort();
    for path in below {
        walk(&path, depth, found);
    }
}

/// What the names of a run's folders tell.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    game: Option<String>,
    seed: Option<u64>,
    protocol: Option<ProtocolName>,
}

impl Told {
    /// The innermost of the last three folders that tells something counts.
    fn by(path: &Path) -> Self {
        let mut told = Self::default();
        let names = path.iter().rev().map(|name| name.to_string_lossy());
        let folders = names.filter(|name| !name.contains("tfevents"));
        for name in folders.take(3) {
            let parts: Vec<&str> = name.split("__").collect();
            let seed = match parts[..] {
                [_, _, seed, ..] => seed.parse().ok(),
                _ => name
                    .rsplit_once('_')
                    .and_then(|(_, number)| number.parse().ok()),
            };
            told.seed = told.seed.or(seed);
            if told.game.is_none() {
                (told.game, told.protocol) = environment(parts[0]);
            }
        }
        told
    }
}

/// Game and protocol of an environment's id, which the number of a run may follow. `NoFrameskip-v4` has no sticky actions, and
/// both programs wrap it as Baselines does; `-v5` has sticky actions.
fn environment(name: &str) -> (Option<String>, Option<ProtocolName>) {
    let forms = [
        ("NoFrameskip-v4", ProtocolName::Baselines),
        ("-v5", ProtocolName::Machado),
    ];
    for (suffix, protocol) in forms {
        if let Some((game, _)) = name.split_once(suffix) {
            let game = game.trim_start_matches("ALE-").trim_start_matches("ALE_");
            let world = World::resolve(game).ok();
            return world.map_or((None, None), |world| {
                (Some(world.name().to_owned()), Some(protocol))
            });
        }
    }
    (None, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cleanrl_and_sb3_tell_game_seed_and_protocol() {
        let check = |path: &str, game: Option<&str>, seed: Option<u64>, protocol| {
            let expected = Told {
                game: game.map(str::to_owned),
                seed,
                protocol,
            };
            assert_eq!(Told::by(Path::new(path)), expected, "{path}");
        };
        let baselines = Some(ProtocolName::Baselines);
        check(
            "a/BreakoutNoFrameskip-v4__dqn_atari__3__1700000000",
            Some("Breakout"),
            Some(3),
            baselines,
        );
        check(
            "a2c/MsPacmanNoFrameskip-v4_2",
            Some("MsPacman"),
            Some(2),
            baselines,
        );
        check("PongNoFrameskip-v4/A2C_1", Some("Pong"), Some(1), baselines);
        check(
            "ALE_Pong-v5__ppo__4__17",
            Some("Pong"),
            Some(4),
            Some(ProtocolName::Machado),
        );
        check("somewhere/events", None, None, None);
    }

    #[test]
    fn wrong_values_are_refused_with_their_reason() {
        let check = |text: &str, expected: &str| {
            let error = Import::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        };
        check("cleanrl", "write NAME=PATH");
        check("=path", "write NAME=PATH");
        check("a=/no/such/path", "there is no /no/such/path");
        check("a=.,game=Pongg", "did you mean `Pong`?");
        check("a=.,seed=x", "expected a whole number");
        check("a=.,protocol=nature", "nature");
    }

    #[test]
    fn a_path_may_have_commas() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lr=1,decay=2");
        fs::create_dir(&path).unwrap();
        let import = Import::parse(&format!("a={},seed=4", path.display())).unwrap();
        assert_eq!((import.path, import.seed), (path, Some(4)));
    }
}
