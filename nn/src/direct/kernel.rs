//! One convolution of one image, forward and backward, in tiles whose sums stay in the registers of AVX-512.
//!
//! Images lie as `[row, column, channel]`. So the numbers that a kernel of k rows sees of one of its rows are k * in neighbours in
//! memory, and no window is ever copied out: a tile of M output pixels walks along M such rows at once.
//!
//! ```text
//!                weights [k*k*in, out]                sums [M, 32]
//!                |  . . . a b . . |                   one load of a and b, M loads of x, 2M fused
//!   M rows of x  |  . . . a b . . |  ->               multiply-adds, for each of the k * in numbers
//! ```
//!
//! Zeros are added nowhere: the gradient of the input is scattered from output pixels, not gathered by a larger convolution.
//!
//! How many rows a tile has is up to the caller; the 32 registers of AVX-512 hold up to 14.

#![expect(
    clippy::needless_range_loop,
    reason = "loops that count keep tiles in registers, iterators did not: 248 GFLOP/s instead of 206"
)]

use std::array;

use crate::lanes::{LANES, Lanes, add, add_product, load_all, relu, store_all, zero};

/// Vectors of channels in a tile.
const TILE_VECTORS: usize = 2;
/// The channels that come out must be a multiple of this, and those that go in of every layer but the first.
const TILE_CHANNELS: usize = LANES * TILE_VECTORS;
/// Weights of a tile of their gradient.
const TILE_WEIGHTS: usize = 8;

/// Where the numbers of a convolution lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    /// Columns of the image that goes in.
    pub(super) in_width: usize,
    /// Its channels, coordinates not counted.
    pub(super) in_channels: usize,
    /// Rows and columns of the kernel.
    pub(super) kernel: usize,
    /// Pixels between two positions of the kernel.
    pub(super) stride: usize,
    /// Rows of the image that comes out.
    pub(super) out_height: usize,
    /// Its columns.
    pub(super) out_width: usize,
    /// Its channels.
    pub(super) out_channels: usize,
}

impl Geometry {
    /// Pixels of the image that comes out.
    pub(super) fn out_pixels(&self) -> usize {
        self.out_height * self.out_width
    }

    /// Numbers of the image that comes out.
    pub(super) fn out_len(&self) -> usize {
        self.out_pixels() * self.out_channels
    }

    /// Numbers that a kernel sees in one of its rows.
    pub(super) fn row_len(&self) -> usize {
        self.kernel * self.in_channels
    }

    /// Weights of one output channel, coordinates not counted.
    pub(super) fn window_len(&self) -> usize {
        self.kernel * self.row_len()
    }

    /// Where the kernel of output pixel `pixel` begins in the image that goes in.
    #[inline]
    fn window(&self, pixel: usize) -> usize {
        let (row, column) = (pixel / self.out_width, pixel % self.out_width);
        self.stride * (row * self.in_width + column) * self.in_channels
    }

    /// From one row of the kernel to the next.
    fn in_row(&self) -> usize {
        self.in_width * self.in_channels
    }
}

/// `y = relu(conv(x, weight) + map)`. `ROW` is [`Geometry::row_len`], `M` the output pixels of a tile.
///
/// # Shapes
/// `x [H, W, in]`, `weight [k*k*in, out]`, `y [H', W', out]`; `map [H', W', out]`, or `[out]` for every pixel.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)] // with the others in one function it would not get the registers it needs
pub(super) fn forward<const M: usize, const ROW: usize>(
    geometry: &Geometry,
    x: &[f32],
    weight: &[f32],
    map: &[f32],
    y: &mut [f32],
) {
    let n_out = geometry.out_channels;
    let n_pixels = geometry.out_pixels();
    let whole = n_pixels / M * M;
    for channel in (0..n_out).step_by(TILE_CHANNELS) {
        for pixel in (0..whole).step_by(M) {
            forward_tile::<M, ROW>(geometry, x, weight, map, (pixel, channel), y);
        }
        for pixel in whole..n_pixels {
            forward_tile::<1, ROW>(geometry, x, weight, map, (pixel, channel), y);
        }
    }
}

#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
fn forward_tile<const M: usize, const ROW: usize>(
    geometry: &Geometry,
    x: &[f32],
    weight: &[f32],
    map: &[f32],
    (pixel, channel): (usize, usize),
    y: &mut [f32],
) {
    let n_out = geometry.out_channels;
    let map_step = if map.len() == n_out { 0 } else { n_out };
    let mut tile = [[zero(); TILE_VECTORS]; M];
    for row in 0..M {
        tile[row] = load_all(&map[(pixel + row) * map_step + channel..]);
    }
    let windows: [usize; M] = array::from_fn(|row| geometry.window(pixel + row));
    for (kernel_row, weight) in weight.chunks_exact(ROW * n_out).enumerate() {
        let rows: [&[f32; ROW]; M] = array::from_fn(|row| {
            let row = &x[windows[row] + kernel_row * geometry.in_row()..];
            row.first_chunk().expect("the kernel lies within the image")
        });
        for (place, weight) in weight.chunks_exact(n_out).enumerate().take(ROW) {
            let weight = load_all(&weight[channel..]);
            for row in 0..M {
                add_product(&mut tile[row], rows[row][place], &weight);
            }
        }
    }
    for row in 0..M {
        let y = &mut y[(pixel + row) * n_out + channel..];
        for vector in 0..TILE_VECTORS {
            tile[row][vector] = relu(tile[row][vector]);
        }
        store_all(&tile[row], y);
    }
}

/// `dw += x^T dy`, summed over all positions of the kernel.
///
/// # Shapes
/// `x [H, W, in]`, `dy [H', W', out]`, `dw [k*k*in, out]`; k * in is a multiple of [`TILE_WEIGHTS`].
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)] // with the others in one function it would not get the registers it needs
pub(super) fn add_weight_gradient(geometry: &Geometry, x: &[f32], dy: &[f32], dw: &mut [f32]) {
    let n_out = geometry.out_channels;
    for (tile_idx, dw) in dw.chunks_exact_mut(TILE_WEIGHTS * n_out).enumerate() {
        let first = tile_idx * TILE_WEIGHTS;
        let (kernel_row, place) = (first / geometry.row_len(), first % geometry.row_len());
        let x = &x[kernel_row * geometry.in_row() + place..];
        for channel in (0..n_out).step_by(TILE_CHANNELS) {
            let tile = weight_gradient_tile(geometry, x, dy, channel);
            for row in 0..TILE_WEIGHTS {
                let dw = &mut dw[row * n_out + channel..];
                let mut sums: [Lanes; TILE_VECTORS] = load_all(dw);
                for vector in 0..TILE_VECTORS {
                    sums[vector] = add(sums[vector], tile[row][vector]);
                }
                store_all(&sums, dw);
            }
        }
    }
}

/// The gradient of the weights at whose first one `x` begins.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
fn weight_gradient_tile(
    geometry: &Geometry,
    x: &[f32],
    dy: &[f32],
    channel: usize,
) -> [[Lanes; TILE_VECTORS]; TILE_WEIGHTS] {
    let step = geometry.stride * geometry.in_channels;
    let mut tile = [[zero(); TILE_VECTORS]; TILE_WEIGHTS];
    let rows = dy.chunks_exact(geometry.out_width * geometry.out_channels);
    for (row, dy) in rows.enumerate() {
        let x = &x[row * geometry.stride * geometry.in_row()..];
        for (column, dy) in dy.chunks_exact(geometry.out_channels).enumerate() {
            let dy = load_all(&dy[channel..]);
            let x = x[column * step..].first_chunk::<TILE_WEIGHTS>();
            let x = x.expect("the kernel lies within the image");
            for row in 0..TILE_WEIGHTS {
                add_product(&mut tile[row], x[row], &dy);
            }
        }
    }
    tile
}

/// `dx += dy weight`, each output pixel's share added where its kernel lies. `OUT` is the number of output channels, `M` the
/// output pixels of a tile.
///
/// # Shapes
/// `dy [H', W', out]`, `weight [k*k, out, in]`, `dx [H, W, in]`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)] // with the others in one function it would not get the registers it needs
pub(super) fn add_input_gradient<const M: usize, const OUT: usize>(
    geometry: &Geometry,
    dy: &[f32],
    weight: &[f32],
    dx: &mut [f32],
) {
    let n_pixels = geometry.out_pixels();
    let whole = n_pixels / M * M;
    for pixel in (0..whole).step_by(M) {
        input_gradient_tiles::<M, OUT>(geometry, dy, weight, pixel, dx);
    }
    for pixel in whole..n_pixels {
        input_gradient_tiles::<1, OUT>(geometry, dy, weight, pixel, dx);
    }
}

/// What `M` output pixels from `pixel` on add.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
fn input_gradient_tiles<const M: usize, const OUT: usize>(
    geometry: &Geometry,
    dy: &[f32],
    weight: &[f32],
    pixel: usize,
    dx: &mut [f32],
) {
    let n_in = geometry.in_channels;
    let rows: [&[f32; OUT]; M] = array::from_fn(|row| {
        let dy = &dy[(pixel + row) * OUT..];
        dy.first_chunk().expect("a pixel of the image")
    });
    let windows: [usize; M] = array::from_fn(|row| geometry.window(pixel + row));
    for (place, weight) in weight.chunks_exact(OUT * n_in).enumerate() {
        let (kernel_row, kernel_column) = (place / geometry.kernel, place % geometry.kernel);
        let place = kernel_row * geometry.in_row() + kernel_column * n_in;
        for channel in (0..n_in).step_by(TILE_CHANNELS) {
            // At one place of the kernel no two output pixels see the same pixel.
            let targets = windows.map(|window| window + place + channel);
            let mut tile = [[zero(); TILE_VECTORS]; M];
            for row in 0..M {
                tile[row] = load_all(&dx[targets[row]..]);
            }
            for (out, weight) in weight.chunks_exact(n_in).enumerate().take(OUT) {
                let weight = load_all(&weight[channel..]);
                for row in 0..M {
                    add_product(&mut tile[row], rows[row][out], &weight);
                }
            }
            for row in 0..M {
                store_all(&tile[row], &mut dx[targets[row]..]);
            }
        }
    }
}
