//! The matrix products of a fully connected layer for a few rows, forward and backward, in tiles whose sums stay in the registers
//! of AVX-512.
//!
//! The weight lies as `[out, in]` and is far larger than the rows: each product reads or writes it once, strip by strip, and
//! takes all rows through a strip before the next one. Forward, the lanes of a sum are parts of one product of a row and a weight's row,
//! and are added up at the end; backward they are neighbouring inputs.

use std::array;

use crate::lanes::{
    LANES, Lanes, add, add_product, fused, load, load_all, store_all, sum_of, zero,
};

/// Vectors of inputs that are taken together.
const TILE_VECTORS: usize = 4;
/// The number of inputs must be a multiple of this.
pub(super) const TILE_INPUTS: usize = LANES * TILE_VECTORS;
/// The number of outputs must be a multiple of this.
pub(super) const TILE_OUTPUTS: usize = 4;
/// Most rows of a tile.
const MAX_ROWS: usize = 6;
/// Inputs whose weights, of a tile's outputs, stay in the nearest cache while all rows pass: 14 KB.
const STRIP: usize = 14 * TILE_INPUTS;

/// Calls `tile::<R>(arguments)` for tiles of nearly as many rows, with `row` the first one of each.
macro_rules! in_tiles_of_rows {
    ($n_rows:expr, $row:ident => $tile:ident($($argument:expr),*)) => {{
        let n_tiles = $n_rows.div_ceil(MAX_ROWS);
        for tile_idx in 0..n_tiles {
            let $row = $n_rows * tile_idx / n_tiles;
            match $n_rows * (tile_idx + 1) / n_tiles - $row {
                1 => $tile::<1>($($argument),*),
                2 => $tile::<2>($($argument),*),
                3 => $tile::<3>($($argument),*),
                4 => $tile::<4>($($argument),*),
                5 => $tile::<5>($($argument),*),
                _ => $tile::<MAX_ROWS>($($argument),*),
            }
        }
    }};
}

/// `y = relu(x weight^T + bias)`. `sums` is scratch.
///
/// # Shapes
/// `x [R, in]`, `weight [out, in]`, `bias [out]`, `y [R, out]`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)]
pub(super) fn forward_relu(
    x: &[f32],
    weight: &[f32],
    bias: &[f32],
    y: &mut [f32],
    sums: &mut Vec<[Lanes; TILE_OUTPUTS]>,
) {
    let n_out = bias.len();
    let n_in = weight.len() / n_out;
    let n_rows = x.len() / n_in;
    for (tile_idx, weight) in weight.chunks_exact(TILE_OUTPUTS * n_in).enumerate() {
        let out = tile_idx * TILE_OUTPUTS;
        sums.clear();
        sums.resize(n_rows, [zero(); TILE_OUTPUTS]);
        for first in (0..n_in).step_by(STRIP) {
            let strip = (first, n_in.min(first + STRIP));
            in_tiles_of_rows!(n_rows, row => add_products(x, weight, strip, row, sums));
        }
        for (row, sums) in sums.iter().enumerate() {
            let y = &mut y[row * n_out + out..][..TILE_OUTPUTS];
            for o in 0..TILE_OUTPUTS {
                let sum = bias[out + o] + sum_of(sums[o]);
                y[o] = if sum < 0.0 { 0.0 } else { sum }; // what is not a number stays so
            }
        }
    }
}

/// Adds to the sums of `R` rows from `row` on what the inputs of `strip`, first and last, give.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
fn add_products<const R: usize>(
    x: &[f32],
    weight: &[f32],
    (first, last): (usize, usize),
    row: usize,
    sums: &mut [[Lanes; TILE_OUTPUTS]],
) {
    let n_in = weight.len() / TILE_OUTPUTS;
    let sums = &mut sums[row..row + R];
    let mut tile = [[zero(); TILE_OUTPUTS]; R];
    tile.copy_from_slice(sums);
    for first in (first..last).step_by(TILE_INPUTS) {
        let xs: [&[[f32; LANES]; TILE_VECTORS]; R] =
            array::from_fn(|r| vectors(x, row + r, n_in, first));
        let weights: [&[[f32; LANES]; TILE_VECTORS]; TILE_OUTPUTS] =
            array::from_fn(|o| vectors(weight, o, n_in, first));
        for place in 0..TILE_VECTORS {
            let mut of_outputs = [zero(); TILE_OUTPUTS];
            for o in 0..TILE_OUTPUTS {
                of_outputs[o] = load(&weights[o][place]);
            }
            for r in 0..R {
                let x = load(&xs[r][place]);
                for o in 0..TILE_OUTPUTS {
                    tile[r][o] = fused(x, of_outputs[o], tile[r][o]);
                }
            }
        }
    }
    sums.copy_from_slice(&tile);
}

/// The vectors of a matrix of `n_in` columns from `row` and `column` on.
#[inline]
fn vectors(
    matrix: &[f32],
    row: usize,
    n_in: usize,
    column: usize,
) -> &[[f32; LANES]; TILE_VECTORS] {
    let vectors = matrix[row * n_in + column..].as_chunks().0;
    vectors.first_chunk().expect("a multiple of TILE_INPUTS")
}

/// The inputs from `first_in` on of `dx = dy weight`, as many as `dx` has columns.
///
/// # Shapes
/// `dy [R, out]`, `weight [out, in]`, `dx [R, i]`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)]
pub(super) fn input_gradient(
    dy: &[f32],
    weight: &[f32],
    n_out: usize,
    first_in: usize,
    dx: &mut [f32],
) {
    let n_rows = dy.len() / n_out;
    for first in (0..dx.len() / n_rows).step_by(TILE_INPUTS) {
        in_tiles_of_rows!(n_rows, row => input_gradient_tile(dy, weight, n_out, (row, first_in, first), dx));
    }
}

#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
fn input_gradient_tile<const R: usize>(
    dy: &[f32],
    weight: &[f32],
    n_out: usize,
    (row, first_in, first): (usize, usize, usize),
    dx: &mut [f32],
) {
    let n_in = weight.len() / n_out;
    let width = dx.len() / (dy.len() / n_out);
    let dys: [&[f32]; R] = array::from_fn(|r| &dy[(row + r) * n_out..][..n_out]);
    let mut tile = [[zero(); TILE_VECTORS]; R];
    for out in 0..n_out {
        let weight: [Lanes; TILE_VECTORS] = load_all(&weight[out * n_in + first_in + first..]);
        for r in 0..R {
            add_product(&mut tile[r], dys[r][out], &weight);
        }
    }
    for r in 0..R {
        store_all(&tile[r], &mut dx[(row + r) * width + first..]);
    }
}

/// A piece of the sum of `dy^T x` over several pairs `[dy, x]`.
///
/// # Shapes
/// `dy [R, out]`, `x [R, in]`; `dw [o, in]` are the rows from `first_out` on.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)]
pub(super) fn weight_gradient(
    pairs: &[[&[f32]; 2]],
    n_out: usize,
    first_out: usize,
    n_in: usize,
    dw: &mut [f32],
) {
    for first in (0..n_in).step_by(TILE_INPUTS) {
        for (idx, dw) in dw.chunks_exact_mut(TILE_OUTPUTS * n_in).enumerate() {
            let out = first_out + idx * TILE_OUTPUTS;
            let mut sum = [[zero(); TILE_VECTORS]; TILE_OUTPUTS];
            for (idx, [dy, x]) in pairs.iter().enumerate() {
                let mut tile = [[zero(); TILE_VECTORS]; TILE_OUTPUTS];
                for (dy, x) in dy.chunks_exact(n_out).zip(x.chunks_exact(n_in)) {
                    let x: [Lanes; TILE_VECTORS] = load_all(&x[first..]);
                    let dy = dy[out..].first_chunk::<TILE_OUTPUTS>();
                    let dy = dy.expect("a multiple of TILE_OUTPUTS");
                    for o in 0..TILE_OUTPUTS {
                        add_product(&mut tile[o], dy[o], &x);
                    }
                }
                for (sum, tile) in sum.as_flattened_mut().iter_mut().zip(tile.as_flattened()) {
                    *sum = if idx == 0 { *tile } else { add(*sum, *tile) };
                }
            }
            for o in 0..TILE_OUTPUTS {
                store_all(&sum[o], &mut dw[o * n_in + first..]);
            }
        }
    }
}

/// The products of a row with each of several, appended to `products`.
///
/// # Shapes
/// `x`, `others` `[in]`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)]
pub(super) fn products_with(x: &[f32], others: &[&[f32]], products: &mut Vec<f32>) {
    for others in others.chunks(TILE_OUTPUTS) {
        // Where there are fewer, the last one again.
        let rows: [&[f32]; TILE_OUTPUTS] = array::from_fn(|o| others[o.min(others.len() - 1)]);
        let mut sums = [zero(); TILE_OUTPUTS];
        for (place, x) in x.as_chunks::<LANES>().0.iter().enumerate() {
            let x = load(x);
            for o in 0..TILE_OUTPUTS {
                sums[o] = fused(x, load(&rows[o].as_chunks().0[place]), sums[o]);
            }
        }
        products.extend(sums[..others.len()].iter().map(|sum| sum_of(*sum)));
    }
}
