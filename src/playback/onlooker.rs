//! Who looks on while a game is played again: what the network sees of it, and what the checkpoint nearest to the game thinks.
//!
//! The agent that played had other parameters at every update; those of a checkpoint are the nearest there are, and the panel
//! names their step.

use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::Result;
use rlrun_envs::{EnvConfig, GameSoFar, World};

use crate::config::grouped;
use crate::plan::{AgentKind, Plan};
use crate::play::duet::Duet;
use crate::player::{AskedRule, Player, Rule};
use crate::run::checkpoint_meta::CheckpointMeta;
use crate::run::checkpoint_store::load_nearest;
use crate::run::folder::CHECKPOINTS;
use crate::run::screen::Screen;
use crate::train::setup::task;
use crate::video::{Distribution, Input, Panel};

/// Looks on.
pub(super) struct Onlooker {
    names: Vec<&'static str>,
    mind: Option<Mind>,
    kind: AgentKind,
    /// Probabilities or values of all actions in the state that is seen.
    numbers: Vec<f32>,
}

/// Thinks about what is seen.
struct Mind {
    player: Player,
    /// Whose thoughts these are.
    source: String,
}

impl Onlooker {
    /// One for a game of the run in the folder `dir` that was played at these steps of it. Without a checkpoint it sees and does
    /// not think.
    ///
    /// # Errors
    /// The checkpoint is of another agent than the plan's.
    pub(super) fn new(
        dir: &Path,
        plan: &Plan,
        config: &EnvConfig,
        steps: &RangeInclusive<u64>,
        screen: &Screen,
    ) -> Result<Self> {
        let mind = match load_nearest::<CheckpointMeta>(&dir.join(CHECKPOINTS), steps) {
            Ok(loaded) => {
                let (step, state) = (loaded.checkpoint.step, loaded.checkpoint.tensors);
                let rule = Rule::new(&plan.agent, AskedRule::default())?;
                Some(Mind {
                    player: Player::new(plan, task(config), &state, rule, plan.seed)?,
                    source: format!("policy of step {}", grouped(step)),
                })
            }
            Err(error) => {
                screen.warn(&format!("the panel shows no policy: {error}"));
                None
            }
        };
        let names = match config.world {
            World::Atari(game) => game.action_names(&config.protocol),
            World::Classic(_) | World::Probe(_) => Vec::new(),
        };
        Ok(Self {
            names,
            mind,
            kind: plan.agent.kind(),
            numbers: Vec::new(),
        })
    }

    /// What is shown beside the picture of now: what is seen and thought, and the action that was chosen; after the last one,
    /// nothing is thought any more.
    pub(super) fn panel<'a>(
        &'a mut self,
        duet: &'a Duet,
        so_far: GameSoFar,
        action: Option<u8>,
    ) -> Panel<'a> {
        let mind = self.mind.as_ref().filter(|_| action.is_some());
        let look = mind.and_then(|mind| mind.player.look_at(duet.obs()).pop());
        let value = look.as_ref().and_then(|look| look.value);
        let distribution = look.map(|look| match self.kind {
            AgentKind::A2c => {
                self.numbers = look.probabilities();
                Distribution::Probabilities(&self.numbers)
            }
            AgentKind::Dqn => {
                self.numbers = look.outputs;
                Distribution::QValues(&self.numbers)
            }
        });
        Panel {
            score: so_far.score,
            step: so_far.length_steps,
            action: action.map(usize::from),
            names: &self.names,
            distribution,
            source: mind.map(|mind| &*mind.source),
            value,
            input: action.map(|_| Input {
                bytes: duet.obs(),
                shape: duet.input_shape(),
            }),
        }
    }
}
