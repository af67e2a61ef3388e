//! A batch of Atari environments: one `ALEVectorInterface`, stepped in two halves.
//!
//! Its traps, and what is done about them (source: ale-py 0.12.1, `src/ale/vector`):
//!
//! * `episodic_life` resets the whole game at the first lost life; we never use it. `life_loss_info` reports a lost life
//!   as terminated and plays on, which is what Baselines does.
//! * Then `terminated` no longer tells the end of a game, and with `SameStep` lives and counters already are of the next
//!   one. A game has ended exactly where `frame_number - episode_frame_number` (the frames of all earlier games) moved.
//! * `truncated` is not set where a life is lost on the very frame of the time limit; the game ends all the same, and the
//!   return with it.
//! * Rows of `final_obs` are uninitialised memory except where a game ended: only truncated rows are read. On the frame
//!   of the time limit ALE takes no picture, so the newest plane of such a row is one frame older than it should be.
//! * The first observation of a game is three black planes and one picture.
//! * An action that does not exist blocks `recv` for ever, and an error of a worker is never cleared: see `turn`.
//! * Rewards come unclipped with `reward_clipping = False`, summed over the frames of the step.
//! * `num_threads = 0` would take every core for every batch; it is always set.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::arguments::{View, arguments, check_protocol};
use super::arrays::{self, NumpyBool};
use super::{AtariGame, rom};
use crate::turn::{Turn, check_seeds};
use crate::{BatchEnv, EnvConfig, EnvError, EnvSpec, StepBatch, python};

/// Environments that play one game.
#[derive(Debug)]
pub(crate) struct AtariBatch {
    spec: EnvSpec,
    turn: Turn,
    /// `None` only while dropping.
    ale: Option<AleCalls>,
    /// `[B]`: frames of all games before the current one, by which a new game is told.
    earlier_frames: Vec<i32>,
    view: View,
    scratch: Scratch,
}

/// ALE's bound methods and the lists that are passed to them, made once.
#[derive(Debug)]
struct AleCalls {
    reset: Py<PyAny>,
    send: Py<PyAny>,
    recv: Py<PyAny>,
    /// `[B]`: overwritten before every `send`. Small integers are shared objects, so nothing is allocated.
    actions: Py<PyList>,
    /// `[B]`: 1.0, as ALE's own Python wrapper sends for discrete actions.
    paddle_strengths: Py<PyList>,
}

/// Room for what is converted on the way out.
#[derive(Debug)]
struct Scratch {
    ints: Vec<i32>,
    episode_frames: Vec<i32>,
    bools: Vec<NumpyBool>,
}

impl AtariBatch {
    /// Loads the game `config.n_envs` times.
    pub(crate) fn new(game: AtariGame, config: &EnvConfig) -> Result<Self, EnvError> {
        Self::seen(game, config, View::Grey)
    }

    /// The same, seen in another way.
    pub(super) fn seen(game: AtariGame, config: &EnvConfig, view: View) -> Result<Self, EnvError> {
        check_protocol(&config.protocol)?;
        let ale = python::ale()?;
        let rom_path = rom::find(game, ale)?;
        let n_envs = config.n_envs;
        let (calls, n_actions) = Python::attach(|py| -> PyResult<_> {
            let kwargs = arguments(py, config, view)?;
            let interface = ale
                .vector_interface
                .bind(py)
                .call((rom_path, n_envs), Some(&kwargs))?;
            let n_actions = interface.call_method0("get_action_set")?.len()?;
            Ok((AleCalls::new(&interface, n_envs)?, n_actions))
        })
        .map_err(|error| failed("loaded the game", &error))?;
        let spec = view.spec(config);
        if n_actions != spec.n_actions {
            return Err(EnvError::OutOfRange {
                what: "the number of actions of this game in the installed ale-py",
                expected: spec.n_actions.to_string(),
                got: n_actions.to_string(),
            });
        }
        Ok(Self {
            spec,
            turn: Turn::NeedsReset,
            ale: Some(calls),
            earlier_frames: vec![0; n_envs],
            view,
            scratch: Scratch {
                ints: vec![0; n_envs],
                episode_frames: vec![0; n_envs],
                bools: vec![NumpyBool::default(); n_envs],
            },
        })
    }

    fn calls(&self) -> &AleCalls {
        self.ale.as_ref().expect("taken only while dropping")
    }

    /// Copies lives, finds out which games are new, and remembers it. `out.game_over` is set where one is.
    fn read_info(&mut self, info: &Bound<'_, PyDict>, out: &mut StepBatch) -> PyResult<()> {
        let py = info.py();
        let Scratch {
            ints,
            episode_frames,
            ..
        } = &mut self.scratch;
        let get = |key| info.as_any().get_item(key);
        arrays::copy(&get(intern!(py, "lives"))?, ints)?;
        for (lives, &got) in out.lives.iter_mut().zip(&*ints) {
            *lives = u32::try_from(got).unwrap_or(0);
        }
        arrays::copy(&get(intern!(py, "frame_number"))?, ints)?;
        arrays::copy(&get(intern!(py, "episode_frame_number"))?, episode_frames)?;
        for (env_idx, earlier) in self.earlier_frames.iter_mut().enumerate() {
            // ALE counts frames in 32 bits, which a very long run may wrap.
            let now = ints[env_idx].wrapping_sub(episode_frames[env_idx]);
            out.game_over[env_idx] = now != *earlier;
            *earlier = now;
        }
        Ok(())
    }

    /// Copies what `recv` returned: (obs, rewards, terminations, truncations, info).
    fn read_step(&mut self, step: &Bound<'_, PyTuple>, out: &mut StepBatch) -> PyResult<()> {
        let py = step.py();
        arrays::copy(&step.get_item(0)?, &mut out.obs)?;
        arrays::copy(&step.get_item(1)?, &mut self.scratch.ints)?;
        for (reward, &got) in out.reward.iter_mut().zip(&self.scratch.ints) {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a step scores far less than 2^24"
            )]
            let raw = got as f32;
            *reward = raw;
        }
        for (item, flags) in [(2, &mut out.terminated), (3, &mut out.truncated)] {
            arrays::copy(&step.get_item(item)?, &mut self.scratch.bools)?;
            for (flag, got) in flags.iter_mut().zip(&self.scratch.bools) {
                *flag = got.get();
            }
        }
        let info = step.get_item(4)?.cast_into::<PyDict>()?;
        self.read_info(&info, out)?;
        // Nobody learns from the last observation of a game that was lost, but in colour it is shown.
        let is_kept = match self.view {
            View::Grey => &out.truncated,
            View::Colour { .. } => &out.game_over,
        };
        if is_kept.contains(&true) {
            let final_obs = info.as_any().get_item(intern!(py, "final_obs"))?;
            let rows = out.final_obs.chunks_exact_mut(self.spec.obs_len());
            for (env_idx, row) in rows.enumerate().filter(|&(env_idx, _)| is_kept[env_idx]) {
                arrays::copy(&final_obs.get_item(env_idx)?, row)?;
            }
        }
        Ok(())
    }
}

impl BatchEnv for AtariBatch {
    fn spec(&self) -> &EnvSpec {
        &self.spec
    }

    fn reset(&mut self, seeds: &[u32], out: &mut StepBatch) -> Result<(), EnvError> {
        out.check(&self.spec)?;
        check_seeds(seeds, &self.spec)?;
        let is_stepping = self.turn == Turn::Stepping;
        self.turn = Turn::NeedsReset;
        Python::attach(|py| {
            if is_stepping {
                self.calls().recv.call0(py)?;
            }
            let (obs, info) = self.calls().reset(py, 0..self.spec.n_envs, seeds)?;
            arrays::copy(&obs, &mut out.obs)?;
            self.read_info(&info, out)
        })
        .map_err(|error| failed("reset", &error))?;
        out.clear_outcome();
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
        self.turn = Turn::NeedsReset;
        let obs_len = self.spec.obs_len();
        Python::attach(|py| {
            // What comes back is of all environments.
            let (obs, info) = self.calls().reset(py, env_idxs.iter().copied(), seeds)?;
            for &env_idx in env_idxs {
                let row = env_idx * obs_len..(env_idx + 1) * obs_len;
                arrays::copy(&obs.get_item(env_idx)?, &mut out.obs[row])?;
            }
            let game_over = out.game_over.clone();
            self.read_info(&info, out)?;
            out.game_over = game_over;
            Ok(())
        })
        .map_err(|error: PyErr| failed("reset", &error))?;
        self.turn = Turn::Ready;
        Ok(())
    }

    fn send(&mut self, actions: &[u8]) -> Result<(), EnvError> {
        self.turn.check_send(actions, &self.spec)?;
        Python::attach(|py| {
            let calls = self.calls();
            let list = calls.actions.bind(py);
            for (env_idx, action) in actions.iter().enumerate() {
                list.set_item(env_idx, action)?;
            }
            calls.send.call1(py, (list, &calls.paddle_strengths))
        })
        .map_err(|error| failed("took actions", &error))?;
        self.turn = Turn::Stepping;
        Ok(())
    }

    fn recv(&mut self, out: &mut StepBatch) -> Result<(), EnvError> {
        self.turn.check_recv()?;
        out.check(&self.spec)?;
        self.turn = Turn::NeedsReset;
        Python::attach(|py| {
            // ALE gives Python's lock back while it waits for its workers.
            let step = self
                .calls()
                .recv
                .call0(py)?
                .into_bound(py)
                .cast_into::<PyTuple>()?;
            self.read_step(&step, out)
        })
        .map_err(|error| failed("stepped", &error))?;
        self.turn = Turn::Ready;
        Ok(())
    }
}

impl Drop for AtariBatch {
    /// Ends ALE's workers now, rather than when some thread next happens to hold Python's lock.
    fn drop(&mut self) {
        let calls = self.ale.take();
        Python::attach(|_| drop(calls));
    }
}

impl AleCalls {
    fn new(interface: &Bound<'_, PyAny>, n_envs: usize) -> PyResult<Self> {
        let py = interface.py();
        Ok(Self {
            reset: interface.getattr("reset")?.unbind(),
            send: interface.getattr("send")?.unbind(),
            recv: interface.getattr("recv")?.unbind(),
            actions: PyList::new(py, vec![0_u8; n_envs])?.unbind(),
            paddle_strengths: PyList::new(py, vec![1.0_f32; n_envs])?.unbind(),
        })
    }

    /// Resets some environments. Returns the observations \[B, obs\] and what is known of all of them.
    fn reset<'py>(
        &self,
        py: Python<'py>,
        env_idxs: impl ExactSizeIterator<Item = usize>,
        seeds: &[u32],
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyDict>)> {
        let arguments = (PyList::new(py, env_idxs)?, PyList::new(py, seeds)?);
        let first = self.reset.call1(py, arguments)?;
        let first = first.into_bound(py).cast_into::<PyTuple>()?;
        let info = first.get_item(1)?.cast_into::<PyDict>()?;
        Ok((first.get_item(0)?, info))
    }
}

fn failed(doing: &'static str, error: &PyErr) -> EnvError {
    EnvError::Python {
        doing,
        cause: error.to_string(),
    }
}
