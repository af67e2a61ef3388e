//! A batch of scripted environments, with the same rules of autoreset as Atari.

use super::ProbeWorld;
use super::script::{Ending, FAULT_STEP, Script};
use crate::turn::{Turn, check_seeds};
use crate::{BatchEnv, EnvConfig, EnvError, EnvSpec, StepBatch};

/// Environments that play one probe.
#[derive(Debug)]
pub(crate) struct ProbeBatch {
    world: ProbeWorld,
    spec: EnvSpec,
    life_loss_ends_return: bool,
    turn: Turn,
    /// `[B]`, empty before the first reset.
    scripts: Vec<Script>,
    /// `[B]`, of the step that was sent.
    actions: Vec<u8>,
    /// Steps since reset, of the whole batch.
    n_steps: u64,
}

impl ProbeBatch {
    pub(crate) fn new(world: ProbeWorld, config: &EnvConfig) -> Self {
        Self {
            world,
            spec: config.spec(),
            life_loss_ends_return: config.protocol.life_loss_ends_return,
            turn: Turn::NeedsReset,
            scripts: Vec::new(),
            actions: vec![0; config.n_envs],
            n_steps: 0,
        }
    }

    fn check_fault(&self) -> Result<(), EnvError> {
        match self.world {
            ProbeWorld::Fails if self.n_steps >= FAULT_STEP => {
                Err(EnvError::ProbeFails { step: self.n_steps })
            }
            ProbeWorld::Panics if self.n_steps >= FAULT_STEP => {
                panic!("probe:panics has reached its step {}", self.n_steps)
            }
            // Nobody unparks this thread; a wake-up without a cause changes nothing.
            ProbeWorld::Hangs if self.n_steps >= FAULT_STEP => loop {
                std::thread::park();
            },
            _ => Ok(()),
        }
    }
}

impl BatchEnv for ProbeBatch {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seeds: &[u32], out: &mut StepBatch) -> Result<(), EnvError> {
        out.check(&self.spec)?;
        check_seeds(seeds, &self.spec)?;
        self.scripts = seeds
            .iter()
            .map(|&seed| Script::new(self.world, seed))
            .collect();
        self.n_steps = 0;
        out.clear_outcome();
        let rows = out.obs.chunks_exact_mut(self.spec.obs_len());
        for ((script, row), lives) in self.scripts.iter().zip(rows).zip(&mut out.lives) {
            script.draw(row);
            *lives = script.lives();
        }
        self.turn = Turn::Ready;
        Ok(())
    }

    fn reset_some(
        &mut self,
        env_idxs: &[usize],
        seeds: &[u32],
        out: &mut StepBatch,
    ) -> Result<(), EnvError> {
        out.check(&self.spec)?;
        self.turn.check_reset_some(env_idxs, seeds, &self.spec)?;
        let obs_len = self.spec.obs_len();
        for (&env_idx, &seed) in env_idxs.iter().zip(seeds) {
            let script = Script::new(self.world, seed);
            script.draw(&mut out.obs[env_idx * obs_len..(env_idx + 1) * obs_len]);
            out.lives[env_idx] = script.lives();
            self.scripts[env_idx] = script;
        }
        Ok(())
    }

    fn send(&mut self, actions: &[u8]) -> Result<(), EnvError> {
        self.turn.check_send(actions, &self.spec)?;
        self.actions.copy_from_slice(actions);
        self.turn = Turn::Stepping;
        Ok(())
    }

    fn recv(&mut self, out: &mut StepBatch) -> Result<(), EnvError> {
        self.turn.check_recv()?;
        out.check(&self.spec)?;
        self.turn = Turn::NeedsReset;
        self.n_steps += 1;
        self.check_fault()?;
        let obs_len = self.spec.obs_len();
        for (env_idx, script) in self.scripts.iter_mut().enumerate() {
            let row = env_idx * obs_len..(env_idx + 1) * obs_len;
            let (reward, ending) = script.step(self.actions[env_idx]);
            out.reward[env_idx] = reward;
            out.terminated[env_idx] = ending == Ending::Terminated
                || (ending == Ending::LifeLost && self.life_loss_ends_return);
            out.truncated[env_idx] = ending == Ending::Truncated;
            out.game_over[env_idx] = matches!(ending, Ending::Terminated | Ending::Truncated);
            if out.truncated[env_idx] {
                script.draw(&mut out.final_obs[row.clone()]);
            }
            if out.game_over[env_idx] {
                script.start_game();
            }
            script.draw(&mut out.obs[row]);
            out.lives[env_idx] = script.lives();
        }
        self.turn = Turn::Ready;
        Ok(())
    }
}
