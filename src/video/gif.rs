//! GIF, kept small: a picture like the one before lengthens it, and of any other only what has changed is written.
//!
//! Each picture has a palette of its own with the very colours it uses. Only where there are more than fit are near ones
//! taken together, under the one that most pixels have, so that the console's flat colours stay as they are.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use gif::{Encoder, Frame, Repeat};

use super::image::Rgb;
use super::{FRAMES_PER_SECOND, RgbImage, VideoSpec};
use crate::run::atomic::WholeFile;

/// Colours in a palette, beside the one that lets the last picture through.
const MAX_COLOURS: usize = 255;
/// Hundredths of a second: browsers show a picture of less for a tenth.
const MIN_DELAY: u64 = 2;

/// A video that is being written.
pub(super) struct Gif {
    encoder: Encoder<BufWriter<WholeFile>>,
    /// What is shown before `pending`.
    shown: Option<RgbImage>,
    /// What is written as soon as it is known how long it lasts.
    pending: Option<RgbImage>,
    /// Hundredths of a second at which `pending` begins.
    begins: u64,
    /// Pictures so far.
    n_pictures: u64,
    frames_per_picture: u64,
}

impl Gif {
    /// Begins the file.
    pub(super) fn create(path: &Path, spec: VideoSpec) -> Result<Self> {
        let size = |pixels: usize| {
            let pixels = pixels * spec.scale;
            u16::try_from(pixels)
                .with_context(|| format!("a GIF has at most 65535 pixels a side, not {pixels}"))
        };
        let (width, height) = (size(spec.width)?, size(spec.height)?);
        let file = BufWriter::new(WholeFile::create(path)?);
        let mut encoder = Encoder::new(file, width, height, &[])?;
        encoder.set_repeat(Repeat::Infinite)?;
        Ok(Self {
            encoder,
            shown: None,
            pending: None,
            begins: 0,
            n_pictures: 0,
            frames_per_picture: spec.frames_per_picture.into(),
        })
    }

    /// Adds a picture.
    pub(super) fn add(&mut self, picture: &RgbImage) -> Result<()> {
        let now = self.now();
        self.n_pictures += 1;
        let is_new = self.pending.as_ref() != Some(picture);
        if is_new {
            if now - self.begins >= MIN_DELAY {
                self.write_pending(now)?;
            }
            // Of pictures that follow each other too fast, the later one is seen.
            self.pending = Some(picture.clone());
        }
        Ok(())
    }

    /// Puts the file in its place.
    pub(super) fn finish(mut self) -> Result<()> {
        self.write_pending(self.now().max(self.begins + MIN_DELAY))?;
        let mut file = self.encoder.into_inner()?;
        file.flush()?;
        file.into_inner()?.finish()?;
        Ok(())
    }

    /// Hundredths of a second that the pictures so far take together.
    fn now(&self) -> u64 {
        self.n_pictures * self.frames_per_picture * 100 / u64::from(FRAMES_PER_SECOND)
    }

    /// Writes the pending picture, which lasts until `end`.
    fn write_pending(&mut self, end: u64) -> Result<()> {
        let Some(picture) = self.pending.take() else {
            return Ok(());
        };
        let mut frame = frame(&picture, self.shown.as_ref());
        frame.delay = u16::try_from(end - self.begins).unwrap_or(u16::MAX);
        self.encoder.write_frame(&frame)?;
        self.shown = Some(picture);
        self.begins = end;
        Ok(())
    }
}

/// What has to be drawn over `shown` to see `picture`.
fn frame(picture: &RgbImage, shown: Option<&RgbImage>) -> Frame<'static> {
    let [left, top, right, bottom] = changed(picture, shown);
    let places = (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y)));
    let drawn: Vec<Option<Rgb>> = places
        .map(|(x, y)| {
            let pixel = picture.pixel(x, y);
            let is_new = shown.is_none_or(|shown| shown.pixel(x, y) != pixel);
            is_new.then_some(pixel)
        })
        .collect();
    let (palette, index_of) = palette(drawn.iter().flatten().copied());
    let side = |pixels: usize| u16::try_from(pixels).expect("the sides were checked");
    let clear = u8::try_from(palette.len()).expect("at most 255 colours");
    let is_clear = drawn.contains(&None);
    let mut colours = palette.concat();
    if is_clear {
        colours.extend([0; 3]);
    }
    let index = |pixel: &Option<Rgb>| pixel.map_or(clear, |rgb| index_of[&rgb]);
    Frame {
        left: side(left),
        top: side(top),
        width: side(right - left),
        height: side(bottom - top),
        transparent: is_clear.then_some(clear),
        palette: Some(colours),
        buffer: drawn.iter().map(index).collect::<Vec<_>>().into(),
        ..Frame::default()
    }
}

/// Left, top, right and bottom of the smallest rectangle around all differences; a pixel if there is none.
fn changed(picture: &RgbImage, shown: Option<&RgbImage>) -> [usize; 4] {
    let (width, height) = (picture.width(), picture.height());
    let Some(shown) = shown else {
        return [0, 0, width, height];
    };
    let row_of = |image: &RgbImage, y: usize| {
        let row = y * width * 3..(y + 1) * width * 3;
        image.bytes()[row].to_vec()
    };
    let differs = |&y: &usize| row_of(picture, y) != row_of(shown, y);
    let top = (0..height).find(differs).unwrap_or(0);
    let bottom = (top..height).rfind(differs).unwrap_or(top) + 1;
    let differs = |&x: &usize| (top..bottom).any(|y| picture.pixel(x, y) != shown.pixel(x, y));
    let left = (0..width).find(differs).unwrap_or(0);
    let right = (left..width).rfind(differs).unwrap_or(left) + 1;
    [left, top, right, bottom]
}

/// At most [`MAX_COLOURS`] colours, and which of them stands for each of the pixels' own.
fn palette(pixels: impl Iterator<Item = Rgb>) -> (Vec<Rgb>, HashMap<Rgb, u8>) {
    let mut counts: BTreeMap<Rgb, usize> = BTreeMap::new();
    for pixel in pixels {
        *counts.entry(pixel).or_default() += 1;
    }
    let mut n_bits = 0;
    loop {
        // The pixels' colours by what is left of them without their lowest bits, with the most frequent one of each.
        let coarse = |rgb: &Rgb| rgb.map(|level| level >> n_bits);
        let mut groups: BTreeMap<Rgb, (usize, Rgb)> = BTreeMap::new();
        for (&rgb, &count) in &counts {
            let most = groups.entry(coarse(&rgb)).or_insert((count, rgb));
            if count > most.0 {
                *most = (count, rgb);
            }
        }
        if groups.len() <= MAX_COLOURS {
            let number = |(idx, key): (usize, &Rgb)| {
                (*key, u8::try_from(idx).expect("there are at most 255"))
            };
            let numbers: BTreeMap<Rgb, u8> = groups.keys().enumerate().map(number).collect();
            let index_of = counts.keys().map(|rgb| (*rgb, numbers[&coarse(rgb)]));
            return (
                groups.values().map(|&(_, rgb)| rgb).collect(),
                index_of.collect(),
            );
        }
        n_bits += 1;
    }
}

impl std::fmt::Debug for Gif {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gif")
            .field("n_pictures", &self.n_pictures)
            .field("begins", &self.begins)
            .finish_non_exhaustive()
    }
}
