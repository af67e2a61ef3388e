//! Letters: Noto Sans, drawn pixel by pixel.

use std::sync::LazyLock;

use ab_glyph::{Font as _, FontRef, Glyph, PxScale, ScaleFont as _, point};

use super::RgbImage;
use super::image::Rgb;

/// How a line of text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Height of a line, pixels: from the top of the highest letter to the foot of the lowest.
    pub(super) size: f32,
    /// Its colour.
    pub(super) colour: Rgb,
    /// In bold or not.
    pub(super) weight: Weight,
}

/// How thick letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// As in a book.
    Regular,
    /// As in a heading.
    Bold,
}

/// Draws a line of text whose upper left corner is `at`, and returns how wide it is.
pub(super) fn write(image: &mut RgbImage, at: (f32, f32), text: &str, style: Style) -> f32 {
    let (glyphs, width) = laid_out(at, text, style);
    for glyph in glyphs {
        let Some(outline) = face(style.weight).outline_glyph(glyph) else {
            continue; // a space
        };
        let corner = outline.px_bounds().min;
        outline.draw(|x, y, coverage| {
            let (x, y) = (
                whole(corner.x) + i64::from(x),
                whole(corner.y) + i64::from(y),
            );
            if let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) {
                image.mix(x, y, style.colour, coverage.min(1.0));
            }
        });
    }
    width
}

/// The same so that it ends at `at`.
pub(super) fn write_to(image: &mut RgbImage, at: (f32, f32), text: &str, style: Style) {
    let (_, width) = laid_out(at, text, style);
    write(image, (at.0 - width, at.1), text, style);
}

/// The letters in their places, and the width of them all.
fn laid_out(at: (f32, f32), text: &str, style: Style) -> (Vec<Glyph>, f32) {
    let font = face(style.weight).as_scaled(PxScale::from(style.size));
    let (mut x, mut before) = (at.0, None);
    let mut glyphs = Vec::new();
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        let mut glyph = font.scaled_glyph(letter);
        if let Some(before) = before {
            x += font.kern(before, glyph.id);
        }
        before = Some(glyph.id);
        glyph.position = point(x, at.1 + font.ascent());
        x += font.h_advance(glyph.id);
        glyphs.push(glyph);
    }
    (glyphs, x - at.0)
}

fn face(weight: Weight) -> &'static FontRef<'static> {
    static FACES: LazyLock<[FontRef<'static>; 2]> = LazyLock::new(|| {
        [notosans::REGULAR_TTF, notosans::BOLD_TTF]
            .map(|bytes| FontRef::try_from_slice(bytes).expect("the built-in font is sound"))
    });
    &FACES[weight as usize]
}

/// A coordinate that is whole already.
fn whole(pixels: f32) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "a few thousand pixels")]
    let whole = pixels as i64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style {
        size: 20.0,
        colour: [255; 3],
        weight: Weight::Regular,
    };

    fn lit(image: &RgbImage) -> Vec<(usize, usize)> {
        let places = (0..image.height()).flat_map(|y| (0..image.width()).map(move |x| (x, y)));
        places
            .filter(|&(x, y)| image.pixel(x, y) != [0; 3])
            .collect()
    }

    #[test]
    fn a_line_stands_below_its_corner_and_is_as_wide_as_it_says() {
        let mut image = RgbImage::new(100, 40, [0; 3]);
        let width = write(&mut image, (10.0, 10.0), "Hg", STYLE);
        let lit = lit(&image);
        assert!(lit.len() > 50);
        for (x, y) in lit {
            let x = f64::from(u32::try_from(x).unwrap());
            assert!((10.0..=10.0 + f64::from(width)).contains(&x) && (10..30).contains(&y));
        }
    }

    #[test]
    fn letters_differ_bold_ones_are_thicker_and_what_is_outside_is_left_out() {
        let draw = |text, weight| {
            let mut image = RgbImage::new(60, 30, [0; 3]);
            write(&mut image, (2.0, 2.0), text, Style { weight, ..STYLE });
            image
        };
        let sum = |image: &RgbImage| image.bytes().iter().map(|&b| u64::from(b)).sum::<u64>();
        let (regular, bold) = (draw("UP", Weight::Regular), draw("UP", Weight::Bold));
        assert!(sum(&bold) > sum(&regular));
        assert!(draw("UO", Weight::Regular) != regular);
        let mut image = RgbImage::new(60, 30, [0; 3]);
        write(&mut image, (-500.0, 2.0), "UP", STYLE);
        write_to(&mut image, (5.0, 90.0), "UP", STYLE);
        assert!(lit(&image).is_empty());
    }
}
