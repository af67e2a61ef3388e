//! Minimal filtering: from images, gradients and kernels to points and back.
//!
//! Source: Winograd 1980, "Arithmetic Complexity of Computations"; Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural
//! Networks" (arXiv 1509.09308), section 4. A tile of m x m outputs of a kernel of r x r taps sees 4 x 4 inputs, and where both are turned
//! to their values at the points 0, 1, -1 and infinity of each axis, the tile is 16 products instead of m * m * r * r:
//!
//! ```text
//! y = A' [(G g G') . (B' d B)] A          a prime turns a matrix over, the dot multiplies element by element
//!
//!      | 1  0 -1  0 |       | 1    0   |     | 1    0    0   |
//! B' = | 0  1  1  0 |   G = | 1/2  1/2 | or  | 1/2  1/2  1/2 |    two or three taps
//!      | 0 -1  1  0 |       | 1/2 -1/2 |     | 1/2 -1/2  1/2 |
//!      | 0  1  0 -1 |       | 0    1   |     | 0    0    1   |
//!
//!      | 1  1  1  0 |     | 1  1  1  0 |
//! A' = | 0  1 -1  0 | or  | 0  1 -1 -1 |                          three or two outputs
//!      | 0  1  1 -1 |
//! ```
//!
//! That is F(3x3, 2x2), 36 products in 16, and F(2x2, 3x3). A convolution whose stride divides its kernel is one of stride 1 on *blocks*: the
//! numbers of `stride` x `stride` pixels are the channels of one, and a kernel of 8 pixels and stride 4 has two taps.
//!
//! Gradients go through the same matrices turned over: with `p` at the points,
//!
//! ```text
//! dp = A dy A'        dd = B [(G g G') . dp] B'        dg = G' [(B' d B) . dp] G
//! ```
//!
//! Every function takes vectors of 16 channels through its matrix at once.

#![expect(
    clippy::needless_range_loop,
    reason = "loops that count stay in registers when unrolled, iterators did not"
)]

use super::Geometry;
use crate::lanes::{LANES, Lanes, add, load, relu, scaled, store, sub, zero};

/// Points of an axis.
pub(super) const POINTS: usize = 4;
/// Points of a tile.
pub(super) const N_POINTS: usize = POINTS * POINTS;

/// From one point to the next, for so many numbers at each. One vector more than these: where distances are powers of two, the points of a tile
/// fall on each other's places in the cache, and a transform took four times as long.
pub(super) const fn apart(n: usize) -> usize {
    n + LANES
}

/// Vectors at the points of a tile, or inputs of one.
type Square = [[Lanes; POINTS]; POINTS];

/// Applies a transform to the columns and then to the rows.
macro_rules! both_ways {
    ($transform:path, $square:expr) => {{
        let square: Square = $square;
        let mut columns = [[zero(); POINTS]; POINTS];
        for column in 0..POINTS {
            let turned = $transform([
                square[0][column],
                square[1][column],
                square[2][column],
                square[3][column],
            ]);
            for row in 0..POINTS {
                columns[row][column] = turned[row];
            }
        }
        let mut both = [[zero(); POINTS]; POINTS];
        for row in 0..POINTS {
            both[row] = $transform(columns[row]);
        }
        both
    }};
}

/// `B' d`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
fn to_points([a, b, c, d]: [Lanes; POINTS]) -> [Lanes; POINTS] {
    [sub(a, c), add(b, c), sub(c, b), sub(b, d)]
}

/// `B e`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
fn from_points([a, b, c, d]: [Lanes; POINTS]) -> [Lanes; POINTS] {
    [a, add(sub(b, c), d), sub(add(b, c), a), sub(zero(), d)]
}

/// `A' p`, three outputs, or two and something that is not used.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
fn to_outputs<const TAPS: usize>([a, b, c, d]: [Lanes; POINTS]) -> [Lanes; POINTS] {
    let (sum, difference) = (add(b, c), sub(b, c));
    if TAPS == 2 {
        [add(a, sum), difference, sub(sum, d), zero()]
    } else {
        [add(a, sum), sub(difference, d), zero(), zero()]
    }
}

/// `A y`, of three outputs or two; the others must be 0.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
fn of_outputs<const TAPS: usize>([a, b, c, _]: [Lanes; POINTS]) -> [Lanes; POINTS] {
    if TAPS == 2 {
        let ends = add(a, c);
        [a, add(ends, b), sub(ends, b), sub(zero(), c)]
    } else {
        [a, add(a, b), sub(a, b), sub(zero(), b)]
    }
}

/// `G g`, of two taps or three; the others must be 0.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
fn of_taps<const TAPS: usize>([a, b, c, _]: [Lanes; POINTS]) -> [Lanes; POINTS] {
    let (ends, last) = if TAPS == 2 { (a, b) } else { (add(a, c), c) };
    [
        a,
        scaled(add(ends, b), 0.5),
        scaled(sub(ends, b), 0.5),
        last,
    ]
}

/// `G' u`, two taps or three.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
fn to_taps<const TAPS: usize>([a, b, c, d]: [Lanes; POINTS]) -> [Lanes; POINTS] {
    let sum = scaled(add(b, c), 0.5);
    let difference = scaled(sub(b, c), 0.5);
    if TAPS == 2 {
        [add(a, sum), add(difference, d), zero(), zero()]
    } else {
        [add(a, sum), difference, add(sum, d), zero()]
    }
}

/// Where the inputs or outputs of a tile lie that are within the image.
#[derive(Clone, Copy)]
pub(super) struct Patch {
    pub(super) start: usize,
    /// From a row to the next, and from a column to the next.
    pub(super) strides: [usize; 2],
    /// Rows and columns.
    pub(super) size: [usize; 2],
}

impl Patch {
    /// Its vectors; 0 beyond its size.
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
    #[inline]
    fn load(self, from: &[f32]) -> Square {
        let mut square = [[zero(); POINTS]; POINTS];
        for row in 0..POINTS {
            for column in 0..POINTS {
                if self.has(row, column) {
                    square[row][column] = load(vector(from, self.at(row, column)));
                }
            }
        }
        square
    }

    #[inline]
    fn has(self, row: usize, column: usize) -> bool {
        row < self.size[0] && column < self.size[1]
    }

    #[inline]
    fn at(self, row: usize, column: usize) -> usize {
        self.start + row * self.strides[0] + column * self.strides[1]
    }
}

#[inline]
fn vector(from: &[f32], start: usize) -> &[f32; LANES] {
    let vector = from[start..].first_chunk();
    vector.expect("numbers come in whole vectors")
}

#[inline]
fn vector_mut(into: &mut [f32], start: usize) -> &mut [f32; LANES] {
    let vector = into[start..].first_chunk_mut();
    vector.expect("numbers come in whole vectors")
}

/// The vectors of a tile at all points, the first one at `start` and the others `apart` from it and each other. A macro, because the compiler kept calls
/// of a function.
macro_rules! points_at {
    ($from:expr, $start:expr, $apart:expr) => {{
        let mut square = [[zero(); POINTS]; POINTS];
        for row in 0..POINTS {
            for column in 0..POINTS {
                let start = $start + (POINTS * row + column) * $apart;
                square[row][column] = load(vector($from, start));
            }
        }
        square
    }};
}

/// Puts them there.
macro_rules! put_points_at {
    ($square:expr, $into:expr, $start:expr, $apart:expr) => {{
        let square: Square = $square;
        for row in 0..POINTS {
            for column in 0..POINTS {
                let start = $start + (POINTS * row + column) * $apart;
                store(square[row][column], vector_mut($into, start));
            }
        }
    }};
}

/// `B' d B` of an image's tiles, from `first` on of `n_tiles`.
///
/// # Shapes
/// `x [H, W, in]`, `points [16, n_tiles, channels of a block]`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)]
pub(super) fn see(
    geometry: &Geometry,
    x: &[f32],
    (first, n_tiles): (usize, usize),
    points: &mut [f32],
) {
    let n = geometry.block_channels();
    let apart = apart(n_tiles * n);
    for (tile, at) in geometry.tiles().enumerate() {
        for channel in (0..n).step_by(LANES) {
            let patch = geometry.blocks(at, channel);
            let start = (first + tile) * n + channel;
            put_points_at!(both_ways!(to_points, patch.load(x)), points, start, apart);
        }
    }
}

/// `dx += B e B'` of an image's tiles.
///
/// # Shapes
/// As [`see`].
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)]
pub(super) fn add_seen(
    geometry: &Geometry,
    points: &[f32],
    (first, n_tiles): (usize, usize),
    dx: &mut [f32],
) {
    let n = geometry.block_channels();
    let apart = apart(n_tiles * n);
    for (tile, at) in geometry.tiles().enumerate() {
        for channel in (0..n).step_by(LANES) {
            let start = (first + tile) * n + channel;
            let square = both_ways!(from_points, points_at!(points, start, apart));
            let patch = geometry.blocks(at, channel);
            for row in 0..POINTS {
                for column in 0..POINTS {
                    if patch.has(row, column) {
                        let dx = vector_mut(dx, patch.at(row, column));
                        store(add(load(dx), square[row][column]), dx);
                    }
                }
            }
        }
    }
}

/// `y = relu(A' p A + map)` of an image's tiles.
///
/// # Shapes
/// `points [16, n_tiles, out]`, `y [H', W', out]`; `map [H', W', out]`, or `[out]` for every pixel.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)]
pub(super) fn make<const TAPS: usize>(
    geometry: &Geometry,
    points: &[f32],
    (first, n_tiles): (usize, usize),
    map: &[f32],
    y: &mut [f32],
) {
    let n = geometry.out_channels;
    let apart = apart(n_tiles * n);
    let is_everywhere = map.len() == n;
    for (tile, at) in geometry.tiles().enumerate() {
        for channel in (0..n).step_by(LANES) {
            let start = (first + tile) * n + channel;
            let outputs = both_ways!(to_outputs::<TAPS>, points_at!(points, start, apart));
            let patch = geometry.outputs(at, channel);
            for row in 0..POINTS - 1 {
                for column in 0..POINTS - 1 {
                    if patch.has(row, column) {
                        let start = patch.at(row, column);
                        let added = load(vector(map, if is_everywhere { channel } else { start }));
                        let sum = relu(add(outputs[row][column], added));
                        store(sum, vector_mut(y, start));
                    }
                }
            }
        }
    }
}

/// `A dy A'` of an image's tiles.
///
/// # Shapes
/// `dy [H', W', out]`, `points [16, n_tiles, out]`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)]
pub(super) fn unmake<const TAPS: usize>(
    geometry: &Geometry,
    dy: &[f32],
    (first, n_tiles): (usize, usize),
    points: &mut [f32],
) {
    let n = geometry.out_channels;
    let apart = apart(n_tiles * n);
    for (tile, at) in geometry.tiles().enumerate() {
        for channel in (0..n).step_by(LANES) {
            let outputs = geometry.outputs(at, channel).load(dy);
            let start = (first + tile) * n + channel;
            put_points_at!(
                both_ways!(of_outputs::<TAPS>, outputs),
                points,
                start,
                apart
            );
        }
    }
}

/// `G g G'` of the weights of every block channel.
///
/// # Shapes
/// `weight [k*k*in, out]`, `points [16, channels of a block, out]`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)]
pub(super) fn weigh<const TAPS: usize>(geometry: &Geometry, weight: &[f32], points: &mut [f32]) {
    let (n, n_out) = (geometry.block_channels(), geometry.out_channels);
    let apart = apart(n * n_out);
    for block_channel in 0..n {
        for channel in (0..n_out).step_by(LANES) {
            let taps = geometry.taps_of(block_channel, channel).load(weight);
            let start = block_channel * n_out + channel;
            put_points_at!(both_ways!(of_taps::<TAPS>, taps), points, start, apart);
        }
    }
}

/// The same for weights that are turned over.
///
/// # Shapes
/// `weight [k*k, out, in]`, `points [16, out, channels of a block]`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)]
pub(super) fn weigh_turned<const TAPS: usize>(
    geometry: &Geometry,
    weight: &[f32],
    points: &mut [f32],
) {
    let (n, n_out) = (geometry.block_channels(), geometry.out_channels);
    let apart = apart(n * n_out);
    for out in 0..n_out {
        for block_channel in (0..n).step_by(LANES) {
            let taps = geometry.turned_taps_of(block_channel, out).load(weight);
            let start = out * n + block_channel;
            put_points_at!(both_ways!(of_taps::<TAPS>, taps), points, start, apart);
        }
    }
}

/// `G' u G`, the gradient of the weights of every block channel.
///
/// # Shapes
/// As [`weigh`].
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)]
pub(super) fn unweigh<const TAPS: usize>(geometry: &Geometry, points: &[f32], dw: &mut [f32]) {
    let (n, n_out) = (geometry.block_channels(), geometry.out_channels);
    let apart = apart(n * n_out);
    for block_channel in 0..n {
        for channel in (0..n_out).step_by(LANES) {
            let start = block_channel * n_out + channel;
            let taps = both_ways!(to_taps::<TAPS>, points_at!(points, start, apart));
            let patch = geometry.taps_of(block_channel, channel);
            for row in 0..TAPS {
                for column in 0..TAPS {
                    store(taps[row][column], vector_mut(dw, patch.at(row, column)));
                }
            }
        }
    }
}
