//! Runs of other programs, from their TensorBoard files: `--import NAME=PATH[,game=G][,seed=N][,protocol=P]`.
//!
//! What is not said is read from the names of the folders, as CleanRL (`BreakoutNoFrameskip-v4__dqn_atari__1__1700000000`) and
//! SB3 or its Zoo (`MsPacmanNoFrameskip-v4_1`, `BreakoutNoFrameskip-v4/A2C_1`) give them. The 1 of CleanRL is the seed; that of SB3
//! counts the runs of a folder and is taken for it.

use std::collections::{BTreeMap, BTreeSet};
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
        let (mut numbers, mut runs) = (BTreeMap::new(), Vec::new());
        for path in found {
            let told = Told::by(&path.canonicalize().unwrap_or_else(|_| path.clone()));
            match event_scalars::read(&event_scalars::files_of(&path)) {
                Ok(scalars) => {
                    let algorithm = told.algorithm.clone();
                    runs.push((self.run(path, told, scalars, &mut numbers)?, algorithm));
                }
                Err(why) => gathered.left_out.push(LeftOut { path, why }),
            }
        }
        // Different algorithms below one path never share a curve.
        let algorithms: BTreeSet<_> = runs
            .iter()
            .map(|(_, algorithm)| algorithm.clone())
            .collect();
        for (mut run, algorithm) in runs {
            if let Some(algorithm) = algorithm.filter(|_| algorithms.len() > 1) {
                run.variant = format!("{} {algorithm}", run.variant);
            }
            gathered.runs.push(run);
        }
        Ok(())
    }

    fn run(
        &self,
        path: PathBuf,
        told: Told,
        scalars: event_scalars::Scalars,
        numbers: &mut BTreeMap<String, u64>,
    ) -> Result<Run, RequestError> {
        let game = self.game.clone().or(told.game).ok_or_else(|| {
            self.wrong("its name tells no game; add it: --import NAME=PATH,game=Breakout")
        })?;
        let protocol = self.protocol.or(told.protocol).ok_or_else(|| {
            self.wrong("its name tells no protocol; add it: --import NAME=PATH,protocol=baselines (or machado)")
        })?;
        let number = numbers.entry(game.clone()).or_insert(0);
        *number += 1;
        let mut notes = scalars.notes;
        let mut with_note = |seed: u64, note: &str| {
            notes.push(note.to_owned());
            seed
        };
        let seed = match (self.seed, told.seed, told.number) {
            (Some(seed), _, _) | (None, Some(seed), _) => seed,
            (None, None, Some(number)) => with_note(
                number,
                "Its name tells no seed; the number of the run counts as one.",
            ),
            (None, None, None) => with_note(
                *number,
                "Its name tells no seed; it is numbered in the order of names.",
            ),
        };
        if self.protocol.is_none() {
            notes.push(format!(
                "Its protocol, {protocol}, is taken from the name of its environment."
            ));
        }
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
            steps: scalars.steps,
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
    /// Which of the runs of its folder it is.
    number: Option<u64>,
    protocol: Option<ProtocolName>,
    /// `ppo_atari` of CleanRL, `A2C` of SB3.
    algorithm: Option<String>,
}

impl Told {
    /// The innermost of the last three folders that tells something counts.
    fn by(path: &Path) -> Self {
        let mut told = Self::default();
        let names = path.iter().rev().map(|name| name.to_string_lossy());
        let folders = names.filter(|name| !name.contains("tfevents"));
        for (depth, name) in folders.take(3).enumerate() {
            let one = Self::by_name(&name);
            // Further out a number belongs to a run only where the environment stands beside it.
            let is_of_the_run = depth == 0 || one.game.is_some();
            told.game = told.game.or(one.game);
            told.protocol = told.protocol.or(one.protocol);
            if is_of_the_run {
                told.seed = told.seed.or(one.seed);
                told.number = told.number.or(one.number);
                told.algorithm = told.algorithm.or(one.algorithm);
            }
        }
        told
    }

    fn by_name(name: &str) -> Self {
        let parts: Vec<&str> = name.split("__").collect();
        if let [env, algorithm, seed, ..] = parts[..] {
            let (game, protocol) = environment(env, algorithm).unzip();
            return Self {
                game,
                protocol,
                seed: seed.parse().ok(),
                number: None,
                algorithm: Some(algorithm.to_owned()),
            };
        }
        let numbered = name.rsplit_once('_');
        let numbered = numbered.and_then(|(stem, number)| Some((stem, number.parse().ok()?)));
        let (stem, number) = numbered.map_or((name, None), |(stem, number)| (stem, Some(number)));
        let (game, protocol) = environment(stem, "").unzip();
        let is_algorithm = game.is_none() && number.is_some();
        Self {
            protocol,
            seed: None,
            number,
            algorithm: is_algorithm.then(|| stem.to_owned()),
            game,
        }
    }
}

/// Game and protocol of an environment's id. `NoFrameskip-v4` has no sticky actions, and both programs wrap it as Baselines does.
/// `-v5` has sticky actions in Gymnasium; in `EnvPool`, which CleanRL names in its algorithm, it has none but for RND.
fn environment(id: &str, algorithm: &str) -> Option<(String, ProtocolName)> {
    let is_plain_pool = algorithm.contains("envpool") && !algorithm.contains("rnd");
    let stem = |suffix| Some(id.split_once(suffix)?.0);
    let (name, protocol) = if let Some(name) = stem("NoFrameskip-v4") {
        (name, ProtocolName::Baselines)
    } else if let Some(name) = stem("-v5") {
        let protocol = if is_plain_pool {
            ProtocolName::Baselines
        } else {
            ProtocolName::Machado
        };
        (name, protocol)
    } else {
        (id, ProtocolName::Gym)
    };
    let name = name.trim_start_matches("ALE-").trim_start_matches("ALE_");
    match (World::resolve(name).ok()?, protocol) {
        (World::Classic(game), ProtocolName::Gym) => Some((game.name().to_owned(), protocol)),
        (World::Atari(game), ProtocolName::Baselines | ProtocolName::Machado) => {
            Some((game.name().to_owned(), protocol))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cleanrl_and_sb3_tell_game_seed_protocol_and_algorithm() {
        let check = |path: &str,
                     expected: Option<(&str, ProtocolName)>,
                     [seed, number]: [_; 2],
                     algorithm: Option<&str>| {
            let expected = Told {
                game: expected.map(|(game, _)| game.to_owned()),
                protocol: expected.map(|(_, protocol)| protocol),
                seed,
                number,
                algorithm: algorithm.map(str::to_owned),
            };
            assert_eq!(Told::by(Path::new(path)), expected, "{path}");
        };
        let baselines = |game| Some((game, ProtocolName::Baselines));
        let machado = |game| Some((game, ProtocolName::Machado));
        let gym = |game| Some((game, ProtocolName::Gym));
        check(
            "a/BreakoutNoFrameskip-v4__dqn_atari__3__1700000000",
            baselines("Breakout"),
            [Some(3), None],
            Some("dqn_atari"),
        );
        check(
            "a2c/MsPacmanNoFrameskip-v4_2",
            baselines("MsPacman"),
            [None, Some(2)],
            None,
        );
        check(
            "PongNoFrameskip-v4/A2C_1",
            baselines("Pong"),
            [None, Some(1)],
            Some("A2C"),
        );
        check(
            "ALE/Pong-v5__ppo__4__17",
            machado("Pong"),
            [Some(4), None],
            Some("ppo"),
        );
        check("ALE_Pong-v5", machado("Pong"), [None, None], None);
        // The same name is another environment in EnvPool.
        let of_pool = "runs/Breakout-v5__ppo_atari_envpool__1__1795678364";
        check(
            of_pool,
            baselines("Breakout"),
            [Some(1), None],
            Some("ppo_atari_envpool"),
        );
        let rnd = "runs/MontezumaRevenge-v5__ppo_rnd_envpool__1__17";
        check(
            rnd,
            machado("MontezumaRevenge"),
            [Some(1), None],
            Some("ppo_rnd_envpool"),
        );
        check(
            "CartPole-v1__dqn__1__17",
            gym("CartPole"),
            [Some(1), None],
            Some("dqn"),
        );
        check("CartPole-v1_3", gym("CartPole"), [None, Some(3)], None);
        check("CartPole-v0_3", None, [None, Some(3)], Some("CartPole-v0"));
        // The year is no number of a run.
        check(
            "logs_2024/PongNoFrameskip-v4/tb",
            baselines("Pong"),
            [None, None],
            None,
        );
        check("somewhere/events", None, [None, None], None);
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
