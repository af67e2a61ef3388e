//! Pictures for those who watch.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rlrun_envs::EnvConfig;

use super::PlayRequest;
use super::terminal::{Terminal, TerminalUse};
use crate::player::{Rule, SavedAgent};
use crate::request::RequestError;
use crate::video::{Distribution, Input, Panel, RgbImage, Video, VideoFormat, VideoSpec};

/// Where videos go in the run folder.
const FOLDER: &str = "videos";
/// Pixels of the video for one of the game, unless another number is asked for.
const SCALE: usize = 3;
/// The same in a GIF, which would be large otherwise, and the least with which letters can be read in a panel.
const SMALL_SCALE: usize = 2;

/// What is to be seen at one step.
pub(super) struct Scene<'a> {
    /// The game.
    pub(super) picture: RgbImage,
    /// Raw score so far.
    pub(super) score: f64,
    /// Steps so far.
    pub(super) step: u64,
    /// The action that was chosen.
    pub(super) action: Option<usize>,
    /// Names of all actions.
    pub(super) names: &'a [&'a str],
    /// A number for each action, or none.
    pub(super) numbers: &'a [f32],
    /// Whether they are probabilities or else values.
    pub(super) are_probabilities: bool,
    /// The value of the state.
    pub(super) value: Option<f32>,
    /// What the network sees, and the number, height and width of its pictures.
    pub(super) input: Option<(&'a [u8], [usize; 3])>,
}

/// Everything that shows the game.
pub(super) struct Show {
    video: Option<(Video, PathBuf)>,
    terminal: Option<Terminal>,
    scale: usize,
    has_panel: bool,
}

impl<'a> Scene<'a> {
    /// What is to be seen when nothing is chosen any more.
    pub(super) fn after(picture: RgbImage, score: f64, step: u64, names: &'a [&'a str]) -> Self {
        Self {
            picture,
            score,
            step,
            action: None,
            names,
            numbers: &[],
            are_probabilities: false,
            value: None,
            input: None,
        }
    }

    fn panel(&self) -> Panel<'_> {
        let distribution = if self.are_probabilities {
            Distribution::Probabilities(self.numbers)
        } else {
            Distribution::QValues(self.numbers)
        };
        Panel {
            score: self.score,
            step: self.step,
            action: self.action,
            names: self.names,
            distribution: (!self.numbers.is_empty()).then_some(distribution),
            source: None,
            value: self.value,
            input: self.input.map(|(bytes, shape)| Input { bytes, shape }),
        }
    }

    /// The same as a line of text.
    fn line(&self) -> String {
        let mut line = format!("score {}  step {}", self.score, self.step);
        if let Some((name, number)) = self
            .action
            .and_then(|idx| Some((self.names.get(idx)?, self.numbers.get(idx)?)))
        {
            let _ = write!(line, "  {name} {number:.2}");
        }
        if let Some(value) = self.value {
            let _ = write!(line, "  value {value:.2}");
        }
        line
    }
}

impl Show {
    /// Opens the video and the terminal, as far as they are asked for, for pictures of this width and height.
    ///
    /// # Errors
    /// A [`RequestError`] if the name, the scale or the terminal will not do, or the file cannot be written.
    pub(super) fn open(
        request: &PlayRequest,
        saved: &SavedAgent,
        config: &EnvConfig,
        (width, height): (usize, usize),
        rule: Rule,
    ) -> Result<Self> {
        let frames_per_step = config.protocol.frame_skip;
        let terminal = match request.terminal {
            TerminalUse::No => None,
            used => Some(Terminal::open(used, frames_per_step)?),
        };
        let path = match (&request.out, &terminal) {
            (Some(path), _) => Some(path.clone()),
            (None, None) => Some(own_path(saved, request, rule)),
            (None, Some(_)) => None,
        };
        let scale = scale(request, path.as_deref())?;
        let (width, height) = if request.panel {
            (Panel::total_width(width, scale), height * scale)
        } else {
            (width * scale, Panel::total_height(height, scale))
        };
        let spec = VideoSpec {
            width,
            height,
            scale: 1,
            frames_per_picture: frames_per_step,
        };
        let video = path.map(|path| -> Result<_> { Ok((begin(&path, spec)?, path)) });
        Ok(Self {
            video: video.transpose()?,
            terminal,
            scale,
            has_panel: request.panel,
        })
    }

    /// Shows a scene.
    ///
    /// # Errors
    /// If the video cannot be written, or the terminal has gone.
    pub(super) fn show(&mut self, scene: &Scene<'_>) -> Result<()> {
        if let Some((video, _)) = &mut self.video {
            let panel = scene.panel();
            let picture = if self.has_panel {
                panel.beside(&scene.picture, self.scale)
            } else {
                panel.below(&scene.picture, self.scale)
            };
            video.add(&picture)?;
        }
        if let Some(terminal) = &mut self.terminal {
            terminal.draw(&scene.picture, &scene.line())?;
        }
        Ok(())
    }

    /// Ends the video, gives the terminal back, and returns where the video is.
    ///
    /// # Errors
    /// If the video cannot be ended.
    pub(super) fn close(self) -> Result<Option<PathBuf>> {
        drop(self.terminal);
        let Some((video, path)) = self.video else {
            return Ok(None);
        };
        video.finish()?;
        Ok(Some(path))
    }
}

/// `RUN/videos/step-300000-stochastic-seed1-game0.mp4`
fn own_path(saved: &SavedAgent, request: &PlayRequest, rule: Rule) -> PathBuf {
    let (label, seed, game) = (saved.label(), request.seed, request.game_number);
    let name = format!("{label}-{}-seed{seed}-game{game}.mp4", rule.file_name());
    saved.run.join(FOLDER).join(name)
}

fn scale(request: &PlayRequest, path: Option<&Path>) -> Result<usize, RequestError> {
    let format = path.map(VideoFormat::of).transpose()?;
    let usual = match format {
        Some(VideoFormat::Gif) => SMALL_SCALE,
        _ => SCALE,
    };
    match request.scale.unwrap_or(usual) {
        scale if request.panel && scale < SMALL_SCALE => Err(RequestError::new(format!(
            "--scale {scale}: letters in a panel can be read from {SMALL_SCALE} on"
        ))),
        scale => Ok(scale),
    }
}

/// Makes the folder of the video where it is missing, and begins it.
fn begin(path: &Path, spec: VideoSpec) -> Result<Video, RequestError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| {
            let folder = folder.display();
            RequestError::new(format!(
                "cannot make the folder {folder}: {error}; choose another place by --out FILE"
            ))
        })?;
    }
    Video::create(path, spec).map_err(|error| RequestError::new(format!("{error:#}")))
}
