//! A figure made into a picture: drawn once as SVG, once as pixels.

use std::sync::OnceLock;

use plotters::prelude::{BitMapBackend, DrawingBackend, IntoDrawingArea as _, SVGBackend};
use plotters::style::{FontStyle, WHITE, register_font};

use super::canvas::{Canvas, Drawn, Format, Label, UNITS};
use super::{Picture, PictureError};

/// Width of a picture, pixels.
pub(super) const WIDTH: u32 = 900;
/// Height of the row with the title, pixels.
pub(super) const TITLE_ROW: u32 = 48;
/// The same as a place on the canvas.
pub(super) const TITLE: f64 = 48.0;
/// Red, green, blue.
const CHANNELS: usize = 3;

/// Something that can be drawn on any backend.
pub(super) trait Figure {
    /// What stands above the figure.
    fn title(&self) -> &str;

    /// Width and height, pixels.
    fn size(&self) -> (u32, u32);

    /// How an SVG viewer draws edges.
    fn edges(&self) -> Edges {
        Edges::Smooth
    }

    /// Draws all but the title on a white canvas.
    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Drawn<DB>;
}

/// How an SVG viewer draws edges that lie between its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edges {
    /// Blended.
    Smooth,
    /// Moved to the next pixel, so that touching rectangles leave no gap.
    Crisp,
}

/// Draws a figure in both formats.
///
/// # Errors
///
/// Where a backend or the PNG encoder fails.
pub(super) fn picture(figure: &impl Figure) -> Result<Picture, PictureError> {
    register_fonts()?;
    Ok(Picture {
        svg: svg(figure)?,
        png: png(figure)?,
    })
}

/// Makes the built-in font known to plotters, once.
fn register_fonts() -> Result<(), PictureError> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let registered = REGISTERED.get_or_init(|| {
        let faces = [
            (FontStyle::Normal, notosans::REGULAR_TTF),
            (FontStyle::Bold, notosans::BOLD_TTF),
        ];
        faces
            .into_iter()
            .all(|(style, face)| register_font("sans-serif", style, face).is_ok())
    });
    registered.then_some(()).ok_or(PictureError::Font)
}

fn svg<F: Figure>(figure: &F) -> Result<String, PictureError> {
    let (width, height) = figure.size();
    let (units_wide, units_high) = (width * UNITS, height * UNITS);
    let mut text = String::new();
    let backend = SVGBackend::with_string(&mut text, (units_wide, units_high));
    draw_all(figure, backend, Format::Svg)?;
    let edges = match figure.edges() {
        Edges::Smooth => "",
        Edges::Crisp => " shape-rendering=\"crispEdges\"",
    };
    Ok(text.replacen(
        &format!("width=\"{units_wide}\" height=\"{units_high}\""),
        &format!("width=\"{width}\" height=\"{height}\"{edges}"),
        1,
    ))
}

fn png<F: Figure>(figure: &F) -> Result<Vec<u8>, PictureError> {
    let (width, height) = figure.size();
    let size = (width * UNITS, height * UNITS);
    let mut fine = vec![0; size.0 as usize * size.1 as usize * CHANNELS];
    let backend = BitMapBackend::with_buffer(&mut fine, size);
    draw_all(figure, backend, Format::Png)?;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&averaged(&fine, width as usize))?;
    writer.finish()?;
    Ok(bytes)
}

fn draw_all<F, DB>(figure: &F, backend: DB, format: Format) -> Result<(), PictureError>
where
    F: Figure,
    DB: DrawingBackend,
    DB::ErrorType: 'static,
{
    let canvas = Canvas::new(backend.into_drawing_area(), format);
    let (width, height) = figure.size();
    let (width, height) = (f64::from(width), f64::from(height));
    let title = Label::new(figure.title(), (width / 2.0, TITLE / 2.0));
    canvas
        .rectangle((0.0, 0.0), (width, height), WHITE)
        .and_then(|()| canvas.label(&title.size(16.0).bold().fit(width - 40.0)))
        .and_then(|()| figure.draw(&canvas))
        .and_then(|()| canvas.finish())
        .map_err(|error| PictureError::Draw {
            format: match format {
                Format::Svg => "SVG",
                Format::Png => "PNG",
            },
            source: Box::new(error),
        })
}

/// The mean of the units of each pixel.
///
/// # Shapes
///
/// `fine` is `[height * UNITS, width * UNITS, CHANNELS]`, the result `[height, width, CHANNELS]`.
fn averaged(fine: &[u8], width: usize) -> Vec<u8> {
    const SIDE: usize = UNITS as usize;
    let row_len = width * SIDE * CHANNELS;
    let n_units = UNITS * UNITS;
    let mut pixels = Vec::with_capacity(fine.len() / (SIDE * SIDE));
    for rows in fine.chunks_exact(row_len * SIDE) {
        for value_idx in 0..width * CHANNELS {
            let (column, channel) = (value_idx / CHANNELS, value_idx % CHANNELS);
            let first = column * SIDE * CHANNELS + channel;
            let sum: u32 = (0..SIDE * SIDE)
                .map(|unit| first + unit / SIDE * row_len + unit % SIDE * CHANNELS)
                .map(|byte_idx| u32::from(rows[byte_idx]))
                .sum();
            let mean = (sum + n_units / 2) / n_units;
            pixels.push(u8::try_from(mean).expect("the mean of bytes is a byte"));
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_is_the_mean_of_its_units() {
        let mut fine = vec![0_u8; 3 * 6 * CHANNELS];
        fine[..CHANNELS].copy_from_slice(&[255, 90, 9]);
        assert_eq!(averaged(&fine, 2), [28, 10, 1, 0, 0, 0]);
    }
}
