//! What stands beside a game: score, step, action, the policy or the action values, the value of the state, and what the network
//! sees. Where all this is too much, a line below the game says score and action.
//!
//! ```text
//!   score        step      units: a pixel of the game, of which one is `scale` pixels of the video
//!   1230          456
//!   RIGHT   value 3.21
//!   policy of step 120_000
//!   NOOP   |====    | 0.31     as many rows as there are actions
//!   RIGHT  |========| 0.62
//!   input
//!   [t-3][t-2][t-1][t]
//! ```

use super::RgbImage;
use super::image::Rgb;
use super::text::{Style, Weight, write, write_to};

/// Width of the panel, units.
const WIDTH: usize = 120;
/// From its edges to what stands in it, units.
const MARGIN: usize = 4;
/// Where the rows of actions begin, units.
const ROWS_TOP: usize = 49;
/// Where the bars begin and how long they are, units.
const BARS: (usize, usize) = (48, 46);
/// The greatest height of a row of actions, units.
const MAX_ROW: f32 = 9.0;
/// Width of all pictures of the input together, units.
const INPUT_WIDTH: usize = 112;
/// From the top of the input to the foot of the panel, units: 84 pixels and a margin where a unit is 3.
const INPUT_HEIGHT: usize = 28 + MARGIN;
/// Height of a caption, units.
const CAPTION: f32 = 7.0;

/// Height of the line below a game, units.
const LINE: usize = 14;

const BEHIND: Rgb = [0x18, 0x18, 0x1c];
const INK: Rgb = [0xf0, 0xf0, 0xf0];
const FAINT: Rgb = [0x98, 0x98, 0xa0];
const BAR: Rgb = [0x4a, 0x78, 0xa8];
/// The action that was chosen.
const CHOSEN: Rgb = [0xf2, 0xa0, 0x3c];

/// What is said beside a picture of a game.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panel<'a> {
    /// Raw score so far.
    pub(crate) score: f64,
    /// Steps so far.
    pub(crate) step: u64,
    /// The action that was chosen on the picture; none after the last.
    pub(crate) action: Option<usize>,
    /// Names of all actions.
    pub(crate) names: &'a [&'a str],
    /// What the agent thought of them.
    pub(crate) distribution: Option<Distribution<'a>>,
    /// Whose thoughts these are.
    pub(crate) source: Option<&'a str>,
    /// What it takes the state to be worth.
    pub(crate) value: Option<f32>,
    /// What it saw.
    pub(crate) input: Option<Input<'a>>,
}

/// A number for each action.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Distribution<'a> {
    /// Probabilities of a policy.
    Probabilities(&'a [f32]),
    /// Values of the actions; the bars go from the least to the greatest.
    QValues(&'a [f32]),
}

/// Grey pictures, oldest first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    /// `[n, height, width]`.
    pub(crate) bytes: &'a [u8],
    /// Number, height and width of the pictures.
    pub(crate) shape: [usize; 3],
}

impl Panel<'_> {
    /// Pixels of a game of this width with the panel.
    pub(crate) fn total_width(game_width: usize, scale: usize) -> usize {
        (game_width + WIDTH) * scale
    }

    /// The game with its pixels as squares of `scale` by `scale`, and the panel to its right. Letters can be read from a `scale`
    /// of 2 on.
    pub(crate) fn beside(&self, game: &RgbImage, scale: usize) -> RgbImage {
        let (width, height) = (game.width() * scale, game.height() * scale);
        let total = Self::total_width(game.width(), scale);
        let mut image = RgbImage::new(total, height, BEHIND);
        image.draw((0, 0), &game.enlarged(scale));
        let mut sheet = Sheet {
            image,
            left: width,
            scale,
        };
        self.draw_head(&mut sheet);
        let rows_bottom = game.height().saturating_sub(INPUT_HEIGHT + MARGIN * 2);
        self.draw_actions(&mut sheet, rows_bottom);
        if let Some(input) = self.input {
            input.draw(&mut sheet, game.height().saturating_sub(INPUT_HEIGHT));
        }
        sheet.image
    }

    /// Pixels of a game of this height with the line below it.
    pub(crate) fn total_height(game_height: usize, scale: usize) -> usize {
        (game_height + LINE) * scale
    }

    /// The game with its pixels as squares of `scale` by `scale`, and below it a line with score and action.
    pub(crate) fn below(&self, game: &RgbImage, scale: usize) -> RgbImage {
        let width = game.width() * scale;
        let mut image = RgbImage::new(width, Self::total_height(game.height(), scale), BEHIND);
        image.draw((0, 0), &game.enlarged(scale));
        let mut sheet = Sheet {
            image,
            left: 0,
            scale,
        };
        let top = units(game.height()) + 1.0;
        let score = format!("score {}", self.score);
        sheet.write((4.0, top), &score, (12.0, INK, Weight::Bold));
        let right = units(game.width() - MARGIN);
        sheet.write_to(
            (right, top),
            self.action_name(),
            (12.0, CHOSEN, Weight::Regular),
        );
        sheet.image
    }

    fn action_name(&self) -> &str {
        let action = self.action.and_then(|action| self.names.get(action));
        action.unwrap_or(&"")
    }

    fn draw_head(&self, sheet: &mut Sheet) {
        let right = units(WIDTH - MARGIN);
        sheet.write((4.0, 2.0), "score", (CAPTION, FAINT, Weight::Regular));
        sheet.write_to((right, 2.0), "step", (CAPTION, FAINT, Weight::Regular));
        let score = format!("{}", self.score);
        sheet.write((4.0, 8.0), &score, (18.0, INK, Weight::Bold));
        let step = self.step.to_string();
        sheet.write_to((right, 10.0), &step, (13.0, INK, Weight::Regular));
        let action = self.action_name();
        sheet.write((4.0, 28.0), action, (11.0, CHOSEN, Weight::Bold));
        let source = self.source.unwrap_or_default();
        sheet.write((4.0, 40.5), source, (CAPTION, FAINT, Weight::Regular));
        if let Some(value) = self.value {
            let value = format!("value {value:.2}");
            sheet.write_to((right, 29.0), &value, (9.0, INK, Weight::Regular));
        }
    }

    /// A row for each action, down to `bottom` units.
    fn draw_actions(&self, sheet: &mut Sheet, bottom: usize) {
        let Some(distribution) = self.distribution else {
            return;
        };
        let room = units(bottom.saturating_sub(ROWS_TOP));
        let row = MAX_ROW.min(room / units(self.names.len().max(1)));
        let rows = self.names.iter().zip(distribution.rows());
        for (idx, (name, (part, number))) in rows.enumerate() {
            let top = units(ROWS_TOP) + units(idx) * row;
            let is_chosen = self.action == Some(idx);
            let (ink, bar) = if is_chosen {
                (CHOSEN, CHOSEN)
            } else {
                (INK, BAR)
            };
            let letters = (row * 0.95, ink, Weight::Regular);
            sheet.write((4.0, top), name, letters);
            sheet.write_to((units(WIDTH - MARGIN), top), &number, letters);
            let length = units(BARS.1) * part;
            let at = (units(BARS.0), top + row * 0.2);
            sheet.fill(at, (length, row * 0.6), bar);
        }
    }
}

impl Distribution<'_> {
    /// Length of each action's bar as a part of the longest possible, and its number in words.
    fn rows(self) -> Vec<(f32, String)> {
        match self {
            Self::Probabilities(probabilities) => {
                let row = |&p: &f32| (p.clamp(0.0, 1.0), format!("{p:.2}"));
                probabilities.iter().map(row).collect()
            }
            Self::QValues(values) => {
                let least = values.iter().copied().fold(f32::INFINITY, f32::min);
                let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let range = (most - least).max(f32::MIN_POSITIVE);
                let row = |&q: &f32| ((q - least) / range, format!("{q:.2}"));
                values.iter().map(row).collect()
            }
        }
    }
}

impl Input<'_> {
    /// All pictures side by side, from `top` units on.
    fn draw(self, sheet: &mut Sheet, top: usize) {
        let [n, height, width] = self.shape;
        if n * height * width == 0 || self.bytes.len() < n * height * width {
            return;
        }
        let caption = (4.0, units(top) - CAPTION - 0.5);
        sheet.write(caption, "input", (CAPTION, FAINT, Weight::Regular));
        let side = (INPUT_WIDTH / n).min(INPUT_HEIGHT - MARGIN) * sheet.scale;
        for (idx, picture) in self.bytes.chunks_exact(height * width).take(n).enumerate() {
            let small = RgbImage::from_grey(width, height, picture).resized(side, side);
            let left = sheet.left + MARGIN * sheet.scale + idx * side;
            sheet.image.draw((left, top * sheet.scale), &small);
        }
    }
}

/// A picture in whose right part the panel is drawn, in units.
struct Sheet {
    image: RgbImage,
    /// Pixels to the left of the panel.
    left: usize,
    /// Pixels of a unit.
    scale: usize,
}

/// Height of a line in units, colour, weight.
type Letters = (f32, Rgb, Weight);

impl Sheet {
    fn write(&mut self, at: (f32, f32), text: &str, letters: Letters) {
        let (at, style) = (self.pixels(at), self.style(letters));
        write(&mut self.image, at, text, style);
    }

    fn write_to(&mut self, at: (f32, f32), text: &str, letters: Letters) {
        let (at, style) = (self.pixels(at), self.style(letters));
        write_to(&mut self.image, at, text, style);
    }

    fn fill(&mut self, at: (f32, f32), size: (f32, f32), colour: Rgb) {
        let (left, top) = self.pixels(at);
        let scale = units(self.scale);
        let size = (rounded(size.0 * scale), rounded(size.1 * scale));
        self.image.fill((rounded(left), rounded(top)), size, colour);
    }

    fn pixels(&self, (x, y): (f32, f32)) -> (f32, f32) {
        let scale = units(self.scale);
        (units(self.left) + x * scale, y * scale)
    }

    fn style(&self, (size, colour, weight): Letters) -> Style {
        Style {
            size: size * units(self.scale),
            colour,
            weight,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand units")]
fn units(n: usize) -> f32 {
    n as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast saturates, and what lies outside is not drawn"
)]
fn rounded(pixels: f32) -> usize {
    pixels.round() as usize
}

#[cfg(test)]
mod tests;
