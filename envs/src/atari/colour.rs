//! A game as a person sees it: one environment whose observation is the console's own picture in colour.
//!
//! It plays what an environment of a training plays, with the same frame skip and maximum of two frames, so there is one picture for
//! each step. Under the seed and the actions of an environment of some batch it plays that environment's game, wherever in the
//! batch that is and whatever the others do.

use pyo3::prelude::*;

use super::arguments::View;
use super::batch::AtariBatch;
use super::{AtariGame, rom};
use crate::{BatchEnv as _, EnvConfig, EnvError, StepBatch, World, python};

/// A game in colour.
#[derive(Debug)]
pub struct ColourGame {
    env: AtariBatch,
    batch: StepBatch,
    height: usize,
    width: usize,
}

/// What came of an action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColourStep<'a> {
    /// `[height, width, 3]`: red, green and blue of each pixel; after a game over already of the next game.
    pub rgb: &'a [u8],
    /// `[height, width, 3]`: the last picture of the game that ended with this step, if one did.
    pub last_rgb: Option<&'a [u8]>,
    /// Raw score of this step.
    pub reward: f32,
    /// Lives left in the game that `rgb` shows; 0 in games that do not count lives.
    pub lives: u32,
    /// The return ends here: game over, or a lost life where the protocol says so.
    pub terminated: bool,
    /// Cut off by the time limit.
    pub truncated: bool,
    /// A full game ended.
    pub game_over: bool,
}

impl ColourGame {
    /// Begins the game that an environment of `config` plays after a reset with `seed`; how many of them there are is of no
    /// matter. Loading the ROM three times takes 0.3 s.
    ///
    /// # Errors
    /// [`EnvError::NoPicture`] for what is no Atari game; those of [`make`](crate::make) and of a reset.
    pub fn new(config: &EnvConfig, seed: u32) -> Result<Self, EnvError> {
        let World::Atari(game) = config.world else {
            return Err(EnvError::NoPicture {
                world: config.world.name(),
            });
        };
        let (height, width) = screen_size(game)?;
        let config = EnvConfig {
            n_envs: 1,
            n_threads: 1,
            ..config.clone()
        };
        let env = AtariBatch::seen(game, &config, View::Colour { height, width })?;
        let batch = StepBatch::new(env.spec());
        let mut game = Self {
            env,
            batch,
            height,
            width,
        };
        game.reset(seed)?;
        Ok(game)
    }

    /// Begins another game, as an environment does that is reset with `seed`.
    ///
    /// # Errors
    /// The seed is above `i32::MAX`, or the emulator failed.
    pub fn reset(&mut self, seed: u32) -> Result<(), EnvError> {
        self.env.reset(&[seed], &mut self.batch)
    }

    /// Plays on by one step.
    ///
    /// # Errors
    /// The action does not exist, or the emulator failed.
    pub fn step(&mut self, action: u8) -> Result<ColourStep<'_>, EnvError> {
        self.env.send(&[action])?;
        self.env.recv(&mut self.batch)?;
        let batch = &self.batch;
        Ok(ColourStep {
            rgb: &batch.obs,
            last_rgb: batch.game_over[0].then_some(&*batch.final_obs),
            reward: batch.reward[0],
            lives: batch.lives[0],
            terminated: batch.terminated[0],
            truncated: batch.truncated[0],
            game_over: batch.game_over[0],
        })
    }

    /// The picture of now, `[height, width, 3]`.
    pub fn rgb(&self) -> &[u8] {
        &self.batch.obs
    }

    /// Rows of the picture; 210 in most games, up to 250 in some.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns of the picture: 160.
    pub fn width(&self) -> usize {
        self.width
    }
}

/// Rows and columns of the game's screen, which ALE knows once the ROM is loaded.
fn screen_size(game: AtariGame) -> Result<(usize, usize), EnvError> {
    let ale = python::ale()?;
    let rom_path = rom::find(game, ale)?;
    Python::attach(|py| {
        let console = ale.interface.bind(py).call0()?;
        console.call_method1("loadROM", (rom_path,))?;
        console.call_method0("getScreenDims")?.extract()
    })
    .map_err(|error: PyErr| EnvError::Python {
        doing: "looked at the screen",
        cause: error.to_string(),
    })
}
