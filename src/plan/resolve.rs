//! From what was asked to a plan: the layers in their order, the checks, and the values left to the machine.

use std::path::Path;

use rlrun_envs::{ClassicGame, World};
use rlrun_nn::Precision;
use toml::Value;

use super::checks;
use super::{AgentKind, DeviceChoice, DeviceName, EnvPlan, LearnerPlan, Machine, Plan};
use crate::config::{Config, Layers, Origin, classic_preset, entries};
use crate::request::RequestError;

/// The key that says which algorithm learns.
const AGENT: &str = "agent";

/// What the command line says about the plan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// `--preset`.
    pub(crate) preset: Option<String>,
    /// `--config`, read already.
    pub(crate) file: Option<ConfigFile>,
    /// Every `--set`, as `key=value`, in order.
    pub(crate) sets: Vec<String>,
    /// The named options: the option, its key, its value.
    pub(crate) flags: Vec<(&'static str, &'static str, Value)>,
}

/// A configuration file with its name as the user wrote it.
#[derive(Clone, Debug)]
pub(crate) struct ConfigFile {
    name: String,
    text: String,
}

impl ConfigFile {
    /// A text that stands for the file `name`, line by line.
    pub(crate) fn of_text(name: &str, text: String) -> Self {
        let name = name.to_owned();
        Self { name, text }
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    /// It cannot be read, or is no text.
    pub(crate) fn read(path: &Path) -> Result<Self, RequestError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| RequestError::new(format!("--config {name}: {error}")))?;
        Ok(Self { name, text })
    }
}

impl Asked {
    /// The agent that is asked for: its hyper-parameters are the bottom layer, so it is looked for first, from the topmost
    /// layer down.
    ///
    /// # Errors
    /// No agent of that name. A file that is no TOML is refused when it is laid.
    fn agent(&self) -> Result<AgentKind, RequestError> {
        let flag = self.flags.iter().find(|(_, key, _)| *key == AGENT);
        let flag = flag.map(|(flag, _, value)| (value.clone(), Origin::Flag(flag)));
        let set = self.sets.iter().rev().find_map(|assignment| {
            let (key, value) = assignment.split_once('=')?;
            let value = Value::String(value.trim().trim_matches('"').to_owned());
            (key.trim() == AGENT).then_some((value, Origin::Set))
        });
        let file = self.file.as_ref().and_then(|file| {
            let mut entries = entries(&file.text).ok()?.into_iter();
            let entry = entries.find(|entry| entry.key == AGENT)?;
            let (name, line) = (file.name.clone(), entry.line);
            Some((entry.value, Origin::File { name, line }))
        });
        let Some((value, origin)) = flag.or(set).or(file) else {
            return Ok(AgentKind::A2c);
        };
        AgentKind::ALL
            .into_iter()
            .find(|kind| value.as_str() == Some(kind.as_str()))
            .ok_or_else(|| {
                RequestError::new(format!(
                    "{origin}: unknown agent {value}: expected \"a2c\" or \"dqn\""
                ))
            })
    }
}

/// Makes the plan. Nothing is read or written here.
///
/// # Errors
/// Whatever cannot be planned, with the key, its value and where that came from.
pub(crate) fn resolve(asked: &Asked, machine: &Machine) -> Result<Plan, RequestError> {
    let layers = layers(asked)?;
    let config = layers
        .config()
        .map_err(|error| RequestError::new(error.message()))?;
    let world = world(&config, &layers)?;
    checks::check(&config, world, &layers, machine)?;
    let device = device(
        config.learner.device,
        &layers.cite("learner.device"),
        machine,
    )?;
    check_precision(config.learner.precision, device, &layers, machine)?;
    Ok(settle(config, world.name().to_owned(), device, machine))
}

/// All layers. A classic has values of its own, which lie where a preset would.
fn layers(asked: &Asked) -> Result<Layers, RequestError> {
    let mut layers = Layers::defaults(asked.agent()?);
    if let Some(preset) = &asked.preset {
        layers.lay_preset(preset)?;
    }
    lay_asked(asked, &mut layers)?;
    let Some(game) = classic(&layers) else {
        return Ok(layers);
    };
    if let Some(preset) = &asked.preset {
        return Err(RequestError::new(format!(
            "--preset {preset} is for Atari games; {} has values of its own, without --preset",
            game.name()
        )));
    }
    let agent = asked.agent()?;
    let mut layers = Layers::defaults(agent);
    let (name, text) = classic_preset(agent, game);
    layers.lay_file(&format!("preset {name}"), text)?;
    lay_asked(asked, &mut layers)?;
    Ok(layers)
}

/// Lays what lies over any preset.
fn lay_asked(asked: &Asked, layers: &mut Layers) -> Result<(), RequestError> {
    if let Some(file) = &asked.file {
        layers.lay_file(&file.name, &file.text)?;
    }
    for assignment in &asked.sets {
        layers.lay_set(assignment)?;
    }
    for (flag, key, value) in &asked.flags {
        layers.lay(key, value.clone(), Origin::Flag(flag))?;
    }
    Ok(())
}

/// The classic that is to be played, if one is.
fn classic(layers: &Layers) -> Option<ClassicGame> {
    match World::resolve(&layers.config().ok()?.game?) {
        Ok(World::Classic(game)) => Some(game),
        _ => None,
    }
}

/// Fills in what is left to the machine. The plan then says it, so that another machine gives the same numbers.
fn settle(config: Config, game: String, device: DeviceName, machine: &Machine) -> Plan {
    let agent = config.agent();
    let env = config.env;
    let automatic = |wanted: usize, otherwise: usize| if wanted == 0 { otherwise } else { wanted };
    let env_threads = (machine.cores / env.n_groups).clamp(1, env.n_envs / env.n_groups);
    Plan {
        agent,
        game,
        protocol: config.protocol,
        seed: config.seed,
        total_steps: config.total_steps,
        env: EnvPlan {
            env_threads: automatic(env.env_threads, env_threads),
            ..env
        },
        learner: LearnerPlan {
            device,
            precision: config.learner.precision,
            threads: automatic(config.learner.threads, machine.cores),
            own_cores: config.learner.own_cores,
        },
        torso: config.torso,
        eval: config.eval,
        run: config.run,
    }
}

/// What is played.
fn world(config: &Config, layers: &Layers) -> Result<World, RequestError> {
    let Some(name) = &config.game else {
        return Err(RequestError::new(
            "no game is named; say for example --game MsPacman (`rlrun games` lists them)",
        ));
    };
    World::resolve(name).map_err(|error| {
        let origin = layers.origin("game");
        RequestError::new(format!("{origin}: {error}"))
    })
}

/// Refuses products of bfloat16 numbers where they would be slower than those of f32.
fn check_precision(
    precision: Precision,
    device: DeviceName,
    layers: &Layers,
    machine: &Machine,
) -> Result<(), RequestError> {
    if precision == Precision::Float32 || device != DeviceName::Cpu || machine.multiplies_bf16 {
        return Ok(());
    }
    Err(RequestError::new(format!(
        "{}: this processor does not multiply bfloat16 numbers (it has neither AVX512-BF16 nor AMX); float32 is faster on it",
        layers.cite("learner.precision")
    )))
}

/// Settles `auto`, and refuses a device that is not there.
///
/// # Errors
/// No such device; with those that were found.
pub(super) fn device(
    choice: DeviceChoice,
    cited: &str,
    machine: &Machine,
) -> Result<DeviceName, RequestError> {
    let named = match choice {
        DeviceChoice::Auto if machine.cuda_devices > 0 => DeviceName::Cuda(0),
        DeviceChoice::Auto => DeviceName::Cpu,
        DeviceChoice::Named(named) => named,
    };
    match named {
        DeviceName::Cuda(index) if index >= machine.cuda_devices => {
            Err(RequestError::new(format!(
                "{cited} is not there; found {}. `rlrun doctor` says more",
                machine.devices()
            )))
        }
        _ => Ok(named),
    }
}

#[cfg(test)]
mod tests;
