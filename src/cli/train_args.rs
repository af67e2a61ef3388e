//! The options of `train`, and the request that they make.

use std::path::{Path, PathBuf};

use clap::Args;
use toml::Value;

use crate::config::parse_count;
use crate::plan::{
    self, Asked, Changes, ConfigFile, DeviceChoice, FolderRequest, LostMemory, Machine, Threading,
    TrainRequest,
};
use crate::request::RequestError;

// Headings of `--help`.
const WHAT: &str = "What to train";
const HOW: &str = "How long and how wide";
const LAYERS: &str = "Hyper-parameters, each over the one before";
const WHERE: &str = "Where it goes";

/// The key of the game.
const GAME: &str = "game";

/// Options that decide the plan, and so the numbers.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PlanArgs {
    /// The game: MsPacman, ms-pacman and ALE/MsPacman-v5 are the same; also CartPole and MountainCar; `rlrun games` lists them
    #[arg(long, short, value_name = "NAME", help_heading = WHAT)]
    game: Option<String>,
    /// The algorithm that learns [default: a2c]
    #[arg(long, value_parser = ["a2c", "dqn"], help_heading = WHAT)]
    agent: Option<String>,
    /// The network in front of the heads: the Nature CNN, the same with coordinate channels, or a perceptron for CartPole and
    /// MountainCar [default: conv; for these two mlp]
    #[arg(long, value_name = "KIND", value_parser = ["conv", "coordconv", "mlp"], help_heading = WHAT)]
    torso: Option<String>,
    /// Which convolutions of a coordconv torso see coordinates [default: first]
    #[arg(long, value_name = "WHICH", value_parser = ["first", "all"], help_heading = WHAT)]
    coord_layers: Option<String>,
    /// Give a coordconv torso the distance from the centre as a third coordinate
    #[arg(long, help_heading = WHAT)]
    coord_radius: bool,
    /// How the game is presented: life loss ends returns (baselines), sticky actions and full games (machado), or CartPole
    /// and MountainCar as they are (gym) [default: baselines; for these two gym]
    #[arg(long, value_name = "NAME", value_parser = ["baselines", "machado", "gym"], help_heading = WHAT)]
    protocol: Option<String>,

    /// Length of the training in agent steps, 4 frames each on Atari, all environments together [default: 10M]
    #[arg(long, value_name = "STEPS", value_parser = parse_count, allow_negative_numbers = true, help_heading = HOW)]
    steps: Option<u64>,
    /// The master seed; on a CPU the same plan gives the same weights, bit for bit [default: 1]
    #[arg(long, value_name = "SEED", value_parser = parse_count, allow_negative_numbers = true, help_heading = HOW)]
    seed: Option<u64>,
    /// Environments stepped together, about 3.5 MB each [default: 16 for a2c, 1 for dqn]
    #[arg(long, value_name = "N", value_parser = parse_count, allow_negative_numbers = true, help_heading = HOW)]
    envs: Option<u64>,
    /// Actor threads, each with an equal share of the environments [default: 2 for a2c, 1 for dqn]
    #[arg(long, value_name = "N", value_parser = parse_count, allow_negative_numbers = true, help_heading = HOW)]
    actors: Option<u64>,
    /// Workers on a CPU, each with a thread and a share of every update; their number decides how sums are rounded
    /// [default: one for each core, for a2c at most one for each actor]
    #[arg(long, value_name = "N", value_parser = parse_count, allow_negative_numbers = true, help_heading = HOW)]
    threads: Option<u64>,
    /// Where the network lives: auto, cpu or cuda:N [default: auto]
    #[arg(long, value_name = "DEVICE", help_heading = HOW)]
    device: Option<DeviceChoice>,
    /// How exactly hidden layers compute: float32, or bf16 on processors with AVX512-BF16 or AMX and on GPUs [default: float32]
    #[arg(long, value_name = "NAME", value_parser = ["float32", "bf16"], help_heading = HOW)]
    precision: Option<String>,

    /// Keep dqn's replay memory in a file in DIR, mapped into memory, instead of in RAM; with --resume: where it is now
    #[arg(long, value_name = "DIR", help_heading = HOW)]
    replay_dir: Option<PathBuf>,

    /// Start from named hyper-parameters for Atari. a2c: zoo (RL Baselines3 Zoo's, also the default) or baselines (OpenAI
    /// Baselines'); dqn: zoo (also the default), cleanrl, dopamine, nature or rainbow-lite
    #[arg(long, value_name = "NAME", help_heading = LAYERS)]
    preset: Option<String>,
    /// Lay a TOML file over the preset; any keys of configs/a2c.toml or configs/dqn.toml, or the plan.toml of a run
    #[arg(
        long,
        value_name = "FILE",
        help_heading = LAYERS
    )]
    config: Option<PathBuf>,
    /// Set one key, for example a2c.learning_rate=1e-3; may be repeated. Named options win over it
    #[arg(
        long = "set",
        value_name = "KEY=VALUE",
        help_heading = LAYERS
    )]
    sets: Vec<String>,
}

/// All options of `train`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    plan: PlanArgs,

    /// The folder of all runs; a run goes to DIR/GAME/AGENT-TORSO/seedK-TIME [default: runs]
    #[arg(long, value_name = "DIR", help_heading = WHERE)]
    runs: Option<PathBuf>,
    /// Name of the run's own folder, in place of seedK-TIME
    #[arg(long, value_name = "NAME", help_heading = WHERE)]
    name: Option<String>,
    /// Go on with the run in DIR; only --steps, --device, --replay-dir, --forget-replay, --serial, --share-cores and --quiet go
    /// with it
    #[arg(long, value_name = "DIR", help_heading = WHERE)]
    resume: Option<PathBuf>,
    /// With --resume: if dqn's replay memory is damaged or gone, go on with an empty one, which is filled as in the beginning
    /// before the next update
    #[arg(long, requires = "resume", help_heading = WHERE)]
    forget_replay: bool,
    /// Print the plan as TOML and stop; nothing is written
    #[arg(long, help_heading = WHERE)]
    dry_run: bool,
    /// No progress bar; warnings and the summary remain
    #[arg(long, short, help_heading = WHERE)]
    quiet: bool,
    #[command(flatten)]
    threading: ThreadingArgs,
}

/// Options of how threads work, which decide no number.
#[derive(Args, Clone, Debug, Default)]
struct ThreadingArgs {
    /// Do everything on one thread, for debugging; the numbers are the same
    #[arg(long, help_heading = WHERE)]
    serial: bool,
    /// Give no worker a core of its own, whatever `learner.own_cores` says: other runs work beside this one. The numbers are the
    /// same
    #[arg(long, help_heading = WHERE, conflicts_with = "serial")]
    share_cores: bool,
}

/// What `train` is to do.
#[derive(Debug)]
pub(crate) enum TrainAction {
    /// Print this and stop.
    Describe(String),
    /// Train.
    Train(Box<TrainRequest>),
}

impl PlanArgs {
    /// What these options ask of the plan.
    ///
    /// # Errors
    /// The file of `--config` cannot be read.
    pub(crate) fn asked(&self) -> Result<Asked, RequestError> {
        let file = self.config.as_deref().map(ConfigFile::read).transpose()?;
        Ok(Asked {
            preset: self.preset.clone(),
            file,
            sets: self.sets.clone(),
            flags: self.flags(),
        })
    }

    /// The same, with a game of `ours` where these options name none.
    ///
    /// # Errors
    /// As [`Self::asked`].
    pub(crate) fn asked_of(&self, ours: &str) -> Result<Asked, RequestError> {
        let mut asked = self.asked()?;
        let names_game = |set: &String| set.split('=').next().is_some_and(|key| key.trim() == GAME);
        if self.game.is_none() && asked.file.is_none() && !self.sets.iter().any(names_game) {
            let ours = Value::String(ours.to_owned());
            asked.flags.push(("--game", GAME, ours));
        }
        Ok(asked)
    }

    /// The named options that were given: option, key, value.
    fn flags(&self) -> Vec<(&'static str, &'static str, Value)> {
        let word = |value: &Option<String>| value.clone().map(Value::String);
        let count = |value: Option<u64>| {
            value.map(|n| Value::Integer(i64::try_from(n).expect("parse_count keeps below 2^63")))
        };
        let all = [
            ("--game", GAME, word(&self.game)),
            ("--agent", "agent", word(&self.agent)),
            ("--torso", "torso.kind", word(&self.torso)),
            (
                "--coord-layers",
                "torso.coord_layers",
                word(&self.coord_layers),
            ),
            (
                "--coord-radius",
                "torso.coord_radius",
                self.coord_radius.then_some(Value::Boolean(true)),
            ),
            ("--protocol", "protocol", word(&self.protocol)),
            ("--steps", "total_steps", count(self.steps)),
            ("--seed", "seed", count(self.seed)),
            ("--envs", "env.n_envs", count(self.envs)),
            ("--actors", "env.n_groups", count(self.actors)),
            ("--threads", "learner.threads", count(self.threads)),
            (
                "--device",
                "learner.device",
                self.device.map(|choice| Value::String(choice.to_string())),
            ),
            ("--precision", "learner.precision", word(&self.precision)),
            ("--replay-dir", "replay.dir", self.replay_dir()),
        ];
        all.into_iter()
            .filter_map(|(flag, key, value)| Some((flag, key, value?)))
            .collect()
    }
}

impl PlanArgs {
    /// The folder in full: a run goes on wherever it is resumed from.
    fn replay_dir_in_full(&self) -> Option<PathBuf> {
        let dir = self.replay_dir.as_ref()?;
        Some(std::path::absolute(dir).unwrap_or_else(|_| dir.clone()))
    }

    fn replay_dir(&self) -> Option<Value> {
        let dir = self.replay_dir_in_full()?;
        Some(Value::String(dir.to_string_lossy().into_owned()))
    }
}

impl ThreadingArgs {
    fn threading(&self) -> Threading {
        if self.serial {
            Threading::Serial
        } else if self.share_cores {
            Threading::ActorsOnSharedCores
        } else {
            Threading::Actors
        }
    }
}

impl TrainArgs {
    /// What is to be done, on this machine.
    ///
    /// # Errors
    /// Whatever cannot be planned or resumed.
    pub(crate) fn action(&self, machine: &Machine) -> Result<TrainAction, RequestError> {
        let (plan, folder) = match &self.resume {
            Some(dir) => self.resumed(dir, machine)?,
            None => self.created(machine)?,
        };
        if self.dry_run {
            return Ok(TrainAction::Describe(plan.describe()));
        }
        Ok(TrainAction::Train(Box::new(TrainRequest {
            plan,
            folder,
            threading: self.threading.threading(),
            quiet: self.quiet,
        })))
    }

    fn created(&self, machine: &Machine) -> Result<(plan::Plan, FolderRequest), RequestError> {
        if let Some(name) = &self.name {
            check_name(name)?;
        }
        let plan = plan::resolve(&self.plan.asked()?, machine)?;
        let folder = FolderRequest::Create {
            runs_root: self.runs.clone().unwrap_or_else(|| PathBuf::from("runs")),
            name: self.name.clone(),
        };
        Ok((plan, folder))
    }

    fn resumed(
        &self,
        dir: &Path,
        machine: &Machine,
    ) -> Result<(plan::Plan, FolderRequest), RequestError> {
        if let Some(option) = self.beside_resume() {
            return Err(RequestError::new(format!(
                "{option} does not go with --resume: a resumed run keeps the plan in its folder; \
                 only --steps, --device, --replay-dir, --forget-replay, --serial, --share-cores and --quiet may be given"
            )));
        }
        let changes = Changes {
            total_steps: self.plan.steps,
            device: self.plan.device,
            replay_dir: self.plan.replay_dir_in_full(),
        };
        let plan = plan::resume(dir, &changes, machine)?;
        let folder = FolderRequest::Open {
            dir: dir.to_owned(),
            lost: if self.forget_replay {
                LostMemory::Forgotten
            } else {
                LostMemory::Refused
            },
        };
        Ok((plan, folder))
    }

    /// The first option that a resumed run has no use for.
    fn beside_resume(&self) -> Option<&'static str> {
        let plan = &self.plan;
        let others = [
            ("--preset", plan.preset.is_some()),
            ("--config", plan.config.is_some()),
            ("--set", !plan.sets.is_empty()),
            ("--runs", self.runs.is_some()),
            ("--name", self.name.is_some()),
            ("--dry-run", self.dry_run),
        ];
        let named = plan.flags().into_iter().map(|(flag, _, _)| flag);
        named
            .filter(|flag| !["--steps", "--device", "--replay-dir"].contains(flag))
            .chain(
                others
                    .into_iter()
                    .filter_map(|(flag, given)| given.then_some(flag)),
            )
            .next()
    }
}

/// A run's name is one folder, spelled so that no shell needs quotes for it.
fn check_name(name: &str) -> Result<(), RequestError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(is_plain) {
        return Err(RequestError::new(format!(
            "--name `{name}`: a name is made of letters, digits, `.`, `_` and `-`, and starts with none of `.` and `-`"
        )));
    }
    Ok(())
}
