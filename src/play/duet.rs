//! A game twice: grey and small for the agent, in colour for those who watch.

use anyhow::{Result, ensure};
use rlrun_envs::{BatchEnv, ColourGame, EnvConfig, EnvError, ObsShape, StepBatch, make};

use crate::video::RgbImage;

/// Both environments, under the same seed and actions.
pub(crate) struct Duet {
    grey: Box<dyn BatchEnv>,
    batch: StepBatch,
    colour: ColourGame,
    /// The last picture of a game that is over.
    last: Option<RgbImage>,
}

/// What came of an action.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Played {
    /// Raw score of this step.
    pub(crate) reward: f32,
    /// The game ended.
    pub(crate) game_over: bool,
}

impl Duet {
    /// Begins the game of `seed`; `config` is of one environment.
    ///
    /// # Errors
    /// The game has no picture, or something to play it with is missing.
    pub(crate) fn begin(config: &EnvConfig, seed: u32) -> Result<Self, EnvError> {
        let mut grey = make(config)?;
        let mut batch = StepBatch::new(grey.spec());
        grey.reset(&[seed], &mut batch)?;
        Ok(Self {
            grey,
            batch,
            colour: ColourGame::new(config, seed)?,
            last: None,
        })
    }

    /// Plays on by a step.
    ///
    /// # Errors
    /// If an emulator failed, or the two games have parted.
    pub(crate) fn step(&mut self, action: u8) -> Result<Played> {
        self.grey.send(&[action])?;
        let seen = self.colour.step(action)?;
        let last = seen.last_rgb.map(<[u8]>::to_vec);
        let seen = (seen.reward.to_bits(), seen.lives, seen.game_over);
        self.grey.recv(&mut self.batch)?;
        let (reward, game_over) = (self.batch.reward[0], self.batch.game_over[0]);
        ensure!(
            seen == (reward.to_bits(), self.batch.lives[0], game_over),
            "the game in colour is not the one that the agent plays"
        );
        self.last = last.map(|rgb| RgbImage::from_rgb(self.width(), self.height(), &rgb));
        Ok(Played { reward, game_over })
    }

    /// Leaves a game that is over behind: the picture is that of the next one.
    pub(crate) fn leave(&mut self) {
        self.last = None;
    }

    /// What the agent sees, `[n, height, width]`.
    pub(crate) fn obs(&self) -> &[u8] {
        &self.batch.obs
    }

    /// Number, height and width of the pictures that the agent sees.
    pub(crate) fn input_shape(&self) -> [usize; 3] {
        match self.grey.spec().obs_shape {
            ObsShape::Frames(shape) => shape,
            ObsShape::Features(n) => [1, 1, n],
        }
    }

    /// The picture of now; of a game that is over, its last.
    pub(crate) fn picture(&self) -> RgbImage {
        let now = || RgbImage::from_rgb(self.width(), self.height(), self.colour.rgb());
        self.last.clone().unwrap_or_else(now)
    }

    /// Columns of the picture.
    pub(crate) fn width(&self) -> usize {
        self.colour.width()
    }

    /// Rows of the picture.
    pub(crate) fn height(&self) -> usize {
        self.colour.height()
    }
}
