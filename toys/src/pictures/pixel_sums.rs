//! Maps of grey values over the canvas of the data set. Liu et al. 2018, figure 2: the sum of all images of a part of the
//! data; figure 5, left: the sum of what a network says over it. Single images are drawn in the same way.

use plotters::prelude::DrawingBackend;
use plotters::style::RGBColor;

use crate::not_so_clevr::{CANVAS, N_PIXELS};

use super::canvas::{Canvas, Drawn, FAINT, Label, Point};
use super::grid::{Grid, few};
use super::render::{Edges, Figure, WIDTH, picture};
use super::{Picture, PictureError};

/// Between two maps, pixels.
const BETWEEN: u32 = 20;
/// Below a map, with its caption, pixels.
const BELOW: u32 = 44;
/// Most pixels of the picture that a pixel of the canvas is wide.
const WIDEST: u32 = 6;
/// Where there is no number, no shade of grey.
const NOTHING: RGBColor = RGBColor(0xcf, 0xe0, 0xf3);

/// Grey maps in a grid, row by row, each with its caption below and its least value black, its greatest white. A map of
/// one value is black; a value that is no number is left pale blue.
///
/// # Shapes
///
/// The values of a panel are `[CANVAS, CANVAS]`, row by row.
///
/// # Errors
///
/// Where a panel has another number of values, or `columns` is 0.
pub fn pixel_sums(
    title: &str,
    panels: &[(String, &[f32])],
    columns: usize,
) -> Result<Picture, PictureError> {
    draw_maps(title, panels, columns, Shades::OfPanel)
}

/// Like [`pixel_sums`], with 0 black and 1 white in every panel: images, each as bright as it is. What lies outside is black or
/// white.
///
/// # Shapes
///
/// The values of a panel are `[CANVAS, CANVAS]`, row by row.
///
/// # Errors
///
/// As for [`pixel_sums`].
pub fn pixel_images(
    title: &str,
    panels: &[(String, &[f32])],
    columns: usize,
) -> Result<Picture, PictureError> {
    draw_maps(title, panels, columns, Shades::OfUnit)
}

/// Which values are black and white.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shades {
    /// The least and the greatest of the panel.
    OfPanel,
    /// 0 and 1.
    OfUnit,
}

fn draw_maps(
    title: &str,
    panels: &[(String, &[f32])],
    columns: usize,
    shades: Shades,
) -> Result<Picture, PictureError> {
    if columns == 0 {
        return Err(PictureError::NoColumns);
    }
    for (panel_idx, (caption, values)) in panels.iter().enumerate() {
        if values.len() != N_PIXELS {
            return Err(PictureError::PanelSize {
                panel_idx,
                caption: caption.clone(),
                expected: N_PIXELS,
                got: values.len(),
            });
        }
    }
    picture(&PixelSums::new(title, panels, columns, shades))
}

struct PixelSums<'a> {
    title: &'a str,
    panels: &'a [(String, &'a [f32])],
    grid: Grid,
    /// Pixels of the picture that a pixel of the canvas is wide: whole, so that its edges are crisp.
    scale: u32,
    shades: Shades,
}

impl Figure for PixelSums<'_> {
    fn title(&self) -> &str {
        self.title
    }

    fn size(&self) -> (u32, u32) {
        self.grid.size()
    }

    fn edges(&self) -> Edges {
        Edges::Crisp
    }

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB> {
        for (panel_idx, corner) in self.grid.corners().enumerate() {
            self.draw_panel(canvas, corner, self.panels.get(panel_idx))?;
        }
        Ok(())
    }
}

impl<'a> PixelSums<'a> {
    fn new(
        title: &'a str,
        panels: &'a [(String, &'a [f32])],
        columns: usize,
        shades: Shades,
    ) -> Self {
        let n_columns = few(columns.min(panels.len()).max(1));
        let side = few(CANVAS);
        let room = (WIDTH / n_columns).saturating_sub(BETWEEN);
        let scale = (room / side).clamp(1, WIDEST);
        let cell = (scale * side + BETWEEN, scale * side + BELOW);
        Self {
            title,
            panels,
            grid: Grid {
                n_columns,
                n_panels: few(panels.len()),
                cell,
            },
            scale,
            shades,
        }
    }

    /// A map with a thin frame, for its edges may be white, and its caption.
    fn draw_panel<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        corner: Point,
        panel: Option<&(String, &[f32])>,
    ) -> Drawn<DB> {
        let side = f64::from(self.scale * few(CANVAS));
        let at = (corner.0 + f64::from(BETWEEN) / 2.0, corner.1 + 2.0);
        canvas.rectangle((at.0 - 1.0, at.1 - 1.0), (side + 2.0, side + 2.0), FAINT)?;
        canvas.rectangle(at, (side, side), NOTHING)?;
        let centre = at.0 + side / 2.0;
        let Some((caption, values)) = panel else {
            return canvas.label(&Label::new("no runs", (centre, at.1 + side / 2.0)).size(14.0));
        };
        let shades = self.shades.of(values);
        for (row, row_shades) in shades.chunks_exact(CANVAS).enumerate() {
            self.draw_row(canvas, (at.0, at.1 + self.place(row)), row_shades)?;
        }
        let caption = Label::new(caption, (centre, at.1 + side + 18.0));
        canvas.label(&caption.size(14.0).fit(side + f64::from(BETWEEN) - 6.0))
    }

    /// A rectangle for each run of equal pixels.
    fn draw_row<DB: DrawingBackend>(
        &self,
        canvas: &Canvas<DB>,
        at: Point,
        shades: &[Option<u8>],
    ) -> Drawn<DB> {
        let height = f64::from(self.scale);
        let mut column = 0;
        for equal in shades.chunk_by(|a, b| a == b) {
            if let Some(shade) = equal[0] {
                let size = (self.place(equal.len()), height);
                let grey = RGBColor(shade, shade, shade);
                canvas.rectangle((at.0 + self.place(column), at.1), size, grey)?;
            }
            column += equal.len();
        }
        Ok(())
    }

    /// Where a row or column of the canvas begins in its map, pixels.
    fn place(&self, pixel: usize) -> f64 {
        f64::from(self.scale * few(pixel))
    }
}

impl Shades {
    /// Each value's shade between black and white; none where there is no number.
    fn of(self, values: &[f32]) -> Vec<Option<u8>> {
        let (black, white) = match self {
            Self::OfPanel => ends(values),
            Self::OfUnit => (0.0, 1.0),
        };
        let span = white - black;
        let shade = |value: f32| {
            let part = if span > 0.0 {
                (f64::from(value) - black) / span
            } else {
                0.0
            };
            byte(part.clamp(0.0, 1.0))
        };
        values
            .iter()
            .map(|&value| value.is_finite().then(|| shade(value)))
            .collect()
    }
}

/// The least and the greatest number.
fn ends(values: &[f32]) -> (f64, f64) {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let least = finite().fold(f32::INFINITY, f32::min);
    let greatest = finite().fold(f32::NEG_INFINITY, f32::max);
    (f64::from(least), f64::from(greatest))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a part is within 0 to 1"
)]
fn byte(part: f64) -> u8 {
    (part * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_value_is_black_and_the_greatest_white() {
        let shades = |values: &[f32]| Shades::OfPanel.of(values);
        let values = [3.0, -1.0, f32::NAN, 1.0, f32::INFINITY];
        assert_eq!(shades(&values), [Some(255), Some(0), None, Some(128), None]);
        assert_eq!(shades(&[7.0, 7.0]), [Some(0), Some(0)]);
        assert_eq!(shades(&[f32::MIN, f32::MAX]), [Some(0), Some(255)]);
    }

    #[test]
    fn an_image_is_as_bright_as_it_is() {
        let values = [0.0, 0.5, 1.0, -3.0, 7.0, f32::NAN];
        let expected = [Some(0), Some(128), Some(255), Some(0), Some(255), None];
        assert_eq!(Shades::OfUnit.of(&values), expected);
    }
}
