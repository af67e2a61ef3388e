//! Not-so-Clevr (Liu et al. 2018, section 2): a white 9x9 square on a black canvas of 64x64 pixels, once for every centre
//! that leaves it whole, and the two ways to hold some of them back for the test.
//!
//! The examples are ordered as in the released code, x outer and y inner. Its squares are grey (128 of 255), which caps the
//! intersection over union at 0.502; the paper shows white ones, as here.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Rows, and columns, of the canvas, pixels.
pub const CANVAS: usize = 64;
/// [`CANVAS`] as libtorch counts.
pub(crate) const SIZE: i64 = 64;
const _: () = assert!(CANVAS == 64, "the canvas has SIZE rows");
/// Pixels of the canvas.
pub const N_PIXELS: usize = CANVAS * CANVAS;
/// Pixels from the centre of the square to its edge: it has 9 rows and columns.
pub const HALF_SIDE: usize = 4;
/// The first and the last row, or column, of a centre.
const CENTRES: std::ops::RangeInclusive<u8> = 4..=59;
/// One bit per example, in order, the most significant first: 1 is test. Drawn by the released code with numpy's
/// generator, `random() < 0.25` under seed 20202.
const UNIFORM_TEST_BITS: &str = include_str!("../data/uniform_split.hex");

/// The centre of a square.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Column of the centre, pixels from the left.
    pub x: u8,
    /// Row of the centre, pixels from the top.
    pub y: u8,
}

/// How the examples are parted into training and test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// At random, a quarter for the test.
    Uniform,
    /// The lower right quadrant is the test.
    Quadrant,
}

/// The examples of a split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// To learn from.
    pub train: Vec<Location>,
    /// To be tested on, never learned from.
    pub test: Vec<Location>,
}

impl Location {
    /// The pixel of the centre, counted row by row.
    pub fn pixel(self) -> usize {
        usize::from(self.y) * CANVAS + usize::from(self.x)
    }

    /// Whether a pixel belongs to the square.
    pub fn covers(self, row: usize, column: usize) -> bool {
        usize::from(self.y).abs_diff(row) <= HALF_SIDE
            && usize::from(self.x).abs_diff(column) <= HALF_SIDE
    }

    /// The picture of the square, row by row: 1 inside, 0 outside.
    pub fn image(self) -> Vec<f32> {
        (0..N_PIXELS)
            .map(|pixel| {
                if self.covers(pixel / CANVAS, pixel % CANVAS) {
                    1.0
                } else {
                    0.0
                }
            })
            .collect()
    }
}

/// All 3136 examples.
pub fn examples() -> Vec<Location> {
    CENTRES
        .flat_map(|x| CENTRES.map(move |y| Location { x, y }))
        .collect()
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uniform => "uniform",
            Self::Quadrant => "quadrant",
        })
    }
}

impl Split {
    /// The examples for training and for the test, each in order.
    pub fn parts(self) -> Parts {
        let (test, train) = examples()
            .into_iter()
            .enumerate()
            .partition::<Vec<_>, _>(|&(example_idx, location)| self.is_test(example_idx, location));
        let locations =
            |part: Vec<(usize, Location)>| part.into_iter().map(|(_, location)| location);
        Parts {
            train: locations(train).collect(),
            test: locations(test).collect(),
        }
    }

    fn is_test(self, example_idx: usize, location: Location) -> bool {
        match self {
            Self::Uniform => uniform_test_byte(example_idx / 8) >> (7 - example_idx % 8) & 1 == 1,
            Self::Quadrant => [location.x, location.y]
                .iter()
                .all(|&c| usize::from(c) > CANVAS / 2),
        }
    }
}

/// Byte `byte_idx` of the uniform split's bits.
fn uniform_test_byte(byte_idx: usize) -> u8 {
    let mut digits = UNIFORM_TEST_BITS
        .bytes()
        .filter_map(|digit| char::from(digit).to_digit(16))
        .skip(2 * byte_idx);
    let mut next = || {
        let digit = digits.next().expect("the mask has a bit for every example");
        u8::try_from(digit).expect("a hexadecimal digit is below 16")
    };
    next() << 4 | next()
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    #[test]
    fn there_are_3136_examples_each_a_whole_square() {
        let examples = examples();
        assert_eq!(examples.len(), 3136);
        assert_eq!(examples[1], Location { x: 4, y: 5 }, "y is the inner loop");
        for location in examples {
            assert!((location.image().iter().sum::<f32>() - 81.0).abs() < f32::EPSILON);
        }
    }

    #[test]
    fn a_square_is_centred_on_its_location() {
        let location = Location { x: 10, y: 20 };
        assert_eq!(location.pixel(), 20 * 64 + 10);
        let image = location.image();
        for (row, column, expected) in [(16, 6, 1.0), (24, 14, 1.0), (15, 10, 0.0), (20, 15, 0.0)] {
            assert!((image[row * CANVAS + column] - expected).abs() < f32::EPSILON);
        }
    }

    #[test]
    fn the_uniform_split_is_the_released_one() {
        let bytes: Vec<u8> = (0..3136 / 8).map(uniform_test_byte).collect();
        let expected = [
            "4cbf284ff8d70443",
            "953b356f4160693a",
            "e0f22d60cf16e3a4",
            "4a1d2ab7b3a36a94",
        ]
        .map(|part| u64::from_str_radix(part, 16).unwrap().to_be_bytes());
        assert_eq!(Sha256::digest(bytes)[..], expected.concat());
        let parts = Split::Uniform.parts();
        assert_eq!((parts.train.len(), parts.test.len()), (2368, 768));
        let first: Vec<(u8, u8)> = parts.test.iter().take(10).map(|l| (l.x, l.y)).collect();
        let ys = [5, 7, 25, 39, 41, 48, 49, 53, 56];
        let mut expected = ys.map(|y| (4, y)).to_vec();
        expected.push((5, 13));
        assert_eq!(first, expected);
    }

    #[test]
    fn the_quadrant_split_holds_back_the_lower_right() {
        let parts = Split::Quadrant.parts();
        assert_eq!((parts.train.len(), parts.test.len()), (2407, 729));
        assert!(parts.test.iter().all(|l| l.x >= 33 && l.y >= 33));
        assert!(parts.train.iter().all(|l| l.x <= 32 || l.y <= 32));
    }

    #[test]
    fn a_split_loses_no_example_and_keeps_the_order() {
        for split in [Split::Uniform, Split::Quadrant] {
            let Parts { train, test } = split.parts();
            assert!(train.is_sorted() && test.is_sorted());
            let mut all = [train, test].concat();
            all.sort_unstable();
            assert_eq!(all, examples());
        }
    }
}
