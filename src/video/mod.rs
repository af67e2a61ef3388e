//! Videos of games: pictures one after the other into an MP4 or a GIF, as the file's name ends.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`image`] | a picture in memory |
//! | [`mp4`] | H.264 in MP4, which every browser plays |
//! | [`gif`] | GIF, with the colours of the console to the bit |
//! | [`text`] | letters |
//! | [`panel`] | what stands beside the game: score, action, policy, value, the network's input |
//!
//! A video is written under another name and renamed when it is whole.

mod gif;
mod image;
mod mp4;
mod panel;
mod text;

use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, Result, ensure};

pub(crate) use image::{RgbImage, byte};
pub(crate) use panel::{Distribution, Input, Panel};

use crate::request::RequestError;
use gif::Gif;
use mp4::Mp4;

/// Emulator frames in a second: the rate of an NTSC console.
pub(crate) const FRAMES_PER_SECOND: u32 = 60;

/// The kind of a video file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VideoFormat {
    /// H.264 in MP4.
    Mp4,
    /// GIF.
    Gif,
}

/// What all pictures of a video have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VideoSpec {
    /// Pixels of a picture as it is handed over.
    pub(crate) width: usize,
    /// Pixels of a picture as it is handed over.
    pub(crate) height: usize,
    /// Each pixel becomes a square of so many by so many.
    pub(crate) scale: usize,
    /// Sixtieths of a second that a picture is shown: the frames of a step.
    pub(crate) frames_per_picture: u32,
}

/// A video that is being written.
#[derive(Debug)]
pub(crate) struct Video {
    spec: VideoSpec,
    n_pictures: u64,
    writer: Writer,
}

#[derive(Debug)]
enum Writer {
    Mp4(Box<Mp4>),
    Gif(Box<Gif>),
}

impl VideoFormat {
    /// The format that the name of a file asks for.
    ///
    /// # Errors
    /// The name ends in neither `.mp4` nor `.gif`.
    pub(crate) fn of(path: &Path) -> Result<Self, RequestError> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending
            .and_then(|ending| ending.parse().ok())
            .ok_or_else(|| {
                let path = path.display();
                RequestError::new(format!("{path}: a video's name ends in .mp4 or .gif"))
            })
    }
}

impl FromStr for VideoFormat {
    type Err = ();

    fn from_str(ending: &str) -> Result<Self, ()> {
        match ending.to_ascii_lowercase().as_str() {
            "mp4" => Ok(Self::Mp4),
            "gif" => Ok(Self::Gif),
            _ => Err(()),
        }
    }
}

impl Video {
    /// Begins a video.
    ///
    /// # Errors
    /// A [`RequestError`] if the name has another ending; the folder cannot be written, or the pictures are too large.
    pub(crate) fn create(path: &Path, spec: VideoSpec) -> Result<Self> {
        ensure!(
            spec.width * spec.height * spec.scale > 0 && spec.frames_per_picture > 0,
            "a video without pixels or without duration"
        );
        let doing = || format!("writing the video {}", path.display());
        let writer = match VideoFormat::of(path)? {
            VideoFormat::Mp4 => Writer::Mp4(Box::new(Mp4::create(path, spec).with_context(doing)?)),
            VideoFormat::Gif => Writer::Gif(Box::new(Gif::create(path, spec).with_context(doing)?)),
        };
        Ok(Self {
            spec,
            n_pictures: 0,
            writer,
        })
    }

    /// Adds a picture.
    ///
    /// # Errors
    /// It has another size than the video, the disk is full, or the encoder failed.
    pub(crate) fn add(&mut self, picture: &RgbImage) -> Result<()> {
        let VideoSpec { width, height, .. } = self.spec;
        let (got_width, got_height) = (picture.width(), picture.height());
        ensure!(
            (got_width, got_height) == (width, height),
            "a picture of {got_width}x{got_height} in a video of {width}x{height}"
        );
        self.n_pictures += 1;
        let picture = &picture.enlarged(self.spec.scale);
        match &mut self.writer {
            Writer::Mp4(mp4) => mp4.add(picture),
            Writer::Gif(gif) => gif.add(picture),
        }
        .context("writing the video")
    }

    /// Ends the video, and returns the number of its pictures. A video that is dropped before that leaves no file.
    ///
    /// # Errors
    /// There was no picture, or the disk is full.
    pub(crate) fn finish(self) -> Result<u64> {
        ensure!(self.n_pictures > 0, "a video without pictures");
        match self.writer {
            Writer::Mp4(mp4) => mp4.finish(),
            Writer::Gif(gif) => gif.finish(),
        }
        .context("ending the video")?;
        Ok(self.n_pictures)
    }
}

#[cfg(test)]
mod tests;
