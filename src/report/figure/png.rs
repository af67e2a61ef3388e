//! A figure as PNG, drawn by resvg with the Noto Sans of the binary, so that no font has to be installed.

use anyhow::{Context as _, Result};
use resvg::{tiny_skia, usvg};

use super::Figure;

/// Pixels of the picture for one of the figure's, so that it is sharp in print.
const SCALE: f32 = 3.0;

/// The figure as the bytes of a PNG file.
///
/// # Errors
/// When resvg refuses the figure, which is a fault of ours.
pub(crate) fn png(figure: &Figure) -> Result<Vec<u8>> {
    let mut options = usvg::Options {
        font_family: "Noto Sans".to_owned(),
        ..usvg::Options::default()
    };
    let fonts = options.fontdb_mut();
    fonts.load_font_data(notosans::REGULAR_TTF.to_vec());
    fonts.load_font_data(notosans::BOLD_TTF.to_vec());
    let tree =
        usvg::Tree::from_str(&figure.file(), &options).context("reading a figure of our own")?;
    let size = tree
        .size()
        .to_int_size()
        .scale_by(SCALE)
        .context("a figure without a size")?;
    let mut picture =
        tiny_skia::Pixmap::new(size.width(), size.height()).context("a figure without a size")?;
    resvg::render(
        &tree,
        tiny_skia::Transform::from_scale(SCALE, SCALE),
        &mut picture.as_mut(),
    );
    picture.encode_png().context("encoding a figure")
}
