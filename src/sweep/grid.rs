//! The grid: every combination of games, torsos and seeds, each with its plan and its place.

use std::path::PathBuf;

use rlrun_envs::World;
use toml::Value;

use super::file::{OF_THE_GRID, SweepFile};
use super::seeds::Seeds;
use crate::plan::{Asked, Machine, Plan, resolve};
use crate::request::RequestError;

/// Most runs of a sweep.
const MOST_RUNS: usize = 2_000;

/// Workers of each run where nothing says how many. On two A2C has one for each group, and DQN was measured. As many on every machine
/// and for any number of jobs, so that neither of them decides how sums are rounded: a machine with more cores runs more at a time.
const WORKERS_OF_A_RUN: usize = 2;

/// What the command line says of the grid. It wins over the files.
#[derive(Clone, Debug, Default)]
pub(crate) struct GridOptions {
    /// `--games`.
    pub(crate) games: Option<Vec<String>>,
    /// `--torsos`.
    pub(crate) torsos: Option<Vec<String>>,
    /// `--seeds`.
    pub(crate) seeds: Option<Seeds>,
    /// `--agent`.
    pub(crate) agent: Option<String>,
    /// `--preset`.
    pub(crate) preset: Option<String>,
    /// `--steps`.
    pub(crate) steps: Option<u64>,
    /// Every `--set`.
    pub(crate) sets: Vec<String>,
    /// `--tag`.
    pub(crate) tag: Option<String>,
}

/// A run of the grid.
#[derive(Clone, Debug)]
pub(super) struct GridRun {
    /// What is asked of its plan.
    pub(super) asked: Asked,
    /// The plan, if it is new.
    pub(super) plan: Plan,
    /// The name of its own folder.
    pub(super) name: String,
}

impl GridRun {
    /// Its folder below that of all runs, which is what TensorBoard calls it, too: `MsPacman/a2c-conv/seed1`.
    pub(super) fn path(&self) -> PathBuf {
        PathBuf::from(self.label())
    }

    /// The same as words.
    pub(super) fn label(&self) -> String {
        let Plan {
            game, agent, torso, ..
        } = &self.plan;
        format!("{game}/{}-{}/{}", agent.kind(), torso.kind, self.name)
    }

    /// The name of its files in the sweep's folder, as scripts/sweep.sh has it: `mspacman.a2c-conv.seed1`.
    pub(super) fn file_stem(&self) -> String {
        let Plan {
            game, agent, torso, ..
        } = &self.plan;
        let letters = game.chars().filter(char::is_ascii_alphanumeric);
        let game: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
        format!("{game}.{}-{}.{}", agent.kind(), torso.kind, self.name)
    }
}

/// All runs of these files; without any, of the options alone. Seeds are outermost, so that every game and torso has its first curve early.
///
/// # Errors
/// Whatever cannot be planned, with the option or the file and line that says it; two plans for one folder.
pub(super) fn expand(
    files: &[SweepFile],
    options: &GridOptions,
    machine: &Machine,
) -> Result<Vec<GridRun>, RequestError> {
    let machine = Machine {
        cores: machine.cores.min(WORKERS_OF_A_RUN),
        ..machine.clone()
    };
    let mut blocks: Vec<Block<'_>> = files
        .iter()
        .map(|file| Block {
            file: Some(file),
            options,
        })
        .collect();
    if blocks.is_empty() {
        blocks.push(Block {
            file: None,
            options,
        });
    }
    let mut runs: Vec<GridRun> = Vec::new();
    for block in blocks {
        for run in block.runs(&machine)? {
            match runs.iter().find(|other| other.path() == run.path()) {
                Some(other) if other.plan == run.plan => {}
                Some(other) => return Err(two_plans(other, &run)),
                None => runs.push(run),
            }
        }
    }
    runs.sort_by_key(|run| run.plan.seed);
    Ok(runs)
}

fn two_plans(one: &GridRun, other: &GridRun) -> RequestError {
    RequestError::new(format!(
        "two plans for {}, which differ in {}; keep them apart with a tag",
        one.label(),
        one.plan
            .differences(&other.plan, ["the one", "the other"])
            .join(", ")
    ))
}

/// A key of a plan that the grid decides.
struct Part {
    /// The option that says it.
    flag: &'static str,
    key: &'static str,
    /// Whether the option was given.
    is_typed: bool,
    /// What it is to be, if anything is said.
    value: Option<Value>,
}

fn word(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn number(value: u64) -> Value {
    Value::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

/// A file, or nothing, under the options.
struct Block<'a> {
    file: Option<&'a SweepFile>,
    options: &'a GridOptions,
}

impl Block<'_> {
    fn runs(&self, machine: &Machine) -> Result<Vec<GridRun>, RequestError> {
        let keys = self.file.map(|file| file.keys.clone()).unwrap_or_default();
        let options = self.options;
        let Some(games) = options.games.clone().or(keys.games) else {
            return Err(RequestError::new(
                "no games are named; say for example --games MsPacman,Breakout, or name a sweep file: rlrun sweep small",
            ));
        };
        let torsos = options.torsos.clone().or(keys.torsos);
        let seeds = options.seeds.clone().or(keys.seeds);
        let seeds = seeds.map_or_else(|| vec![1], |Seeds(seeds)| seeds);
        self.check(&games, torsos.as_deref(), seeds.len())?;
        check_sets(&options.sets)?;
        let name = self.naming()?;
        let mut runs = Vec::new();
        for &seed in &seeds {
            for game in &games {
                for torso in torsos.clone().unwrap_or_else(|| torsos_of(game)) {
                    let asked = self.asked(game, &torso, seed);
                    let plan = resolve(&asked, machine)?;
                    let name = format!("{name}seed{seed}");
                    runs.push(GridRun { asked, plan, name });
                }
            }
        }
        Ok(runs)
    }

    /// That it means some runs, and not more than anyone waits for.
    fn check(
        &self,
        games: &[String],
        torsos: Option<&[String]>,
        n_seeds: usize,
    ) -> Result<(), RequestError> {
        for (key, is_empty) in [
            ("games", games.is_empty()),
            ("torsos", torsos.is_some_and(<[String]>::is_empty)),
        ] {
            if is_empty {
                let cited = self.cite(key);
                return Err(RequestError::new(format!("{cited} is an empty list")));
            }
        }
        let n_runs = games
            .len()
            .saturating_mul(n_seeds)
            .saturating_mul(torsos.map_or(2, <[String]>::len));
        if n_runs > MOST_RUNS {
            return Err(RequestError::new(format!(
                "{n_runs} runs are more than the {MOST_RUNS} of a sweep"
            )));
        }
        Ok(())
    }

    /// What stands in front of `seed<k>`.
    fn naming(&self) -> Result<String, RequestError> {
        let of_file = self.file.and_then(|file| file.keys.tag.clone());
        let Some(tag) = self.options.tag.clone().or(of_file) else {
            return Ok(String::new());
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if tag.is_empty()
            || tag.len() > 100
            || tag.starts_with(['.', '-'])
            || !tag.chars().all(is_plain)
        {
            return Err(RequestError::new(format!(
                "{} `{tag}`: a tag is made of letters, digits, `.`, `_` and `-`, and starts with none of `.` and `-`",
                self.cite("tag")
            )));
        }
        Ok(format!("{tag}-"))
    }

    /// What is asked of the plan of one run, every part of it by whoever says it: an option, or a line of the file.
    fn asked(&self, game: &str, torso: &str, seed: u64) -> Asked {
        let options = self.options;
        let (mut flags, mut decided) = (Vec::new(), Vec::new());
        for part in self.parts(game, torso, seed) {
            let Some(value) = part.value else { continue };
            let is_of_the_file = self.file.is_some_and(|file| file.says(part.key));
            if part.is_typed || !is_of_the_file {
                flags.push((part.flag, part.key, value));
            } else {
                decided.push((part.key, value));
            }
        }
        let of_file = self.file.and_then(|file| file.keys.preset.clone());
        Asked {
            preset: options.preset.clone().or(of_file),
            file: self.file.map(|file| file.layer(&decided)),
            sets: options.sets.clone(),
            flags,
        }
    }

    /// What the grid decides of one run.
    fn parts(&self, game: &str, torso: &str, seed: u64) -> [Part; 5] {
        let options = self.options;
        let keys = self.file.map(|file| &file.keys);
        let agent = options.agent.clone();
        let agent = agent.or_else(|| keys?.agent.clone());
        let steps = options.steps.or_else(|| keys?.steps);
        let part = |flag, key, is_typed, value| Part {
            flag,
            key,
            is_typed,
            value,
        };
        let (games, torsos) = (options.games.is_some(), options.torsos.is_some());
        let (seeds, asks_agent) = (options.seeds.is_some(), options.agent.is_some());
        [
            part("--games", "game", games, Some(word(game))),
            part("--torsos", "torso.kind", torsos, Some(word(torso))),
            part("--seeds", "seed", seeds, Some(number(seed))),
            part("--agent", "agent", asks_agent, agent.as_deref().map(word)),
            part(
                "--steps",
                "total_steps",
                options.steps.is_some(),
                steps.map(number),
            ),
        ]
    }

    /// The option, or the line of the file that says `key`.
    fn cite(&self, key: &str) -> String {
        match self.file {
            Some(file) => file.cite(key),
            None => format!("--{key}"),
        }
    }
}

/// A `--set` of what the grid decides would be lost without a word.
fn check_sets(sets: &[String]) -> Result<(), RequestError> {
    for set in sets {
        let key = set.split('=').next().unwrap_or_default().trim();
        if let Some((_, own)) = OF_THE_GRID.iter().find(|(decided, _)| *decided == key) {
            return Err(RequestError::new(format!(
                "--set {set}: {key} is decided by the grid: say it with --{own}"
            )));
        }
    }
    Ok(())
}

/// What is compared where nothing says which torsos.
fn torsos_of(game: &str) -> Vec<String> {
    let torsos: &[&str] = match World::resolve(game) {
        Ok(World::Classic(_)) => &["mlp"],
        _ => &["conv", "coordconv"],
    };
    torsos.iter().map(|&torso| torso.to_owned()).collect()
}

#[cfg(test)]
mod tests;
