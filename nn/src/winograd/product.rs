//! Products of matrices of few rows at one point of many tiles, with sums that stay in the registers of AVX-512.

use std::array;

use crate::lanes::{LANES, Lanes, add_product, load_all, store_all, zero};

/// Vectors of a row of the result that are made together.
const TILE_VECTORS: usize = 2;
/// The columns of a result must be a multiple of this.
const TILE_COLUMNS: usize = LANES * TILE_VECTORS;
/// Most rows that are made together: with two vectors each and two of weights they fill the registers.
const MAX_ROWS: usize = 13;
/// Rows of a sum of outer products that are made together.
const TILE_ROWS: usize = 8;

/// `c = a b`
///
/// # Shapes
/// `a [M, N]`, `b [N, columns]`, `c [M, columns]`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)] // with others in one function it would not get the registers it needs
pub(super) fn multiply<const N: usize>(a: &[f32], b: &[f32], c: &mut [f32]) {
    let n_columns = b.len() / N;
    let n_rows = a.len() / N;
    let n_tiles = n_rows.div_ceil(MAX_ROWS);
    for column in (0..n_columns).step_by(TILE_COLUMNS) {
        for tile_idx in 0..n_tiles {
            let row = n_rows * tile_idx / n_tiles;
            let at = (row, column);
            match n_rows * (tile_idx + 1) / n_tiles - row {
                1 => multiply_tile::<N, 1>(a, b, n_columns, at, c),
                2 => multiply_tile::<N, 2>(a, b, n_columns, at, c),
                3 => multiply_tile::<N, 3>(a, b, n_columns, at, c),
                4 => multiply_tile::<N, 4>(a, b, n_columns, at, c),
                5 => multiply_tile::<N, 5>(a, b, n_columns, at, c),
                6 => multiply_tile::<N, 6>(a, b, n_columns, at, c),
                7 => multiply_tile::<N, 7>(a, b, n_columns, at, c),
                8 => multiply_tile::<N, 8>(a, b, n_columns, at, c),
                9 => multiply_tile::<N, 9>(a, b, n_columns, at, c),
                10 => multiply_tile::<N, 10>(a, b, n_columns, at, c),
                11 => multiply_tile::<N, 11>(a, b, n_columns, at, c),
                12 => multiply_tile::<N, 12>(a, b, n_columns, at, c),
                _ => multiply_tile::<N, MAX_ROWS>(a, b, n_columns, at, c),
            }
        }
    }
}

#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
fn multiply_tile<const N: usize, const M: usize>(
    a: &[f32],
    b: &[f32],
    n_columns: usize,
    (row, column): (usize, usize),
    c: &mut [f32],
) {
    let rows: [&[f32; N]; M] = array::from_fn(|m| {
        let row = a[(row + m) * N..].first_chunk();
        row.expect("a row of the matrix")
    });
    let mut tile = [[zero(); TILE_VECTORS]; M];
    for (place, b) in b.chunks_exact(n_columns).enumerate().take(N) {
        let b = load_all(&b[column..]);
        for m in 0..M {
            add_product(&mut tile[m], rows[m][place], &b);
        }
    }
    for m in 0..M {
        store_all(&tile[m], &mut c[(row + m) * n_columns + column..]);
    }
}

/// `c += a' b`, the sum of the outer products of their rows, one after the other.
///
/// # Shapes
/// `a [M, N]`, `b [M, columns]`, `c [N, columns]`; N is a multiple of 8.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline(never)] // with others in one function it would not get the registers it needs
pub(super) fn add_outer_products<const N: usize>(a: &[f32], b: &[f32], c: &mut [f32]) {
    let n_columns = c.len() / N;
    for (tile_idx, c) in c.chunks_exact_mut(TILE_ROWS * n_columns).enumerate() {
        for column in (0..n_columns).step_by(TILE_COLUMNS) {
            let mut tile: [[Lanes; TILE_VECTORS]; TILE_ROWS] = [[zero(); TILE_VECTORS]; TILE_ROWS];
            for row in 0..TILE_ROWS {
                tile[row] = load_all(&c[row * n_columns + column..]);
            }
            for (a, b) in a.chunks_exact(N).zip(b.chunks_exact(n_columns)) {
                let a = a[tile_idx * TILE_ROWS..].first_chunk::<TILE_ROWS>();
                let a = a.expect("a multiple of the rows of a tile");
                let b = load_all(&b[column..]);
                for row in 0..TILE_ROWS {
                    add_product(&mut tile[row], a[row], &b);
                }
            }
            for row in 0..TILE_ROWS {
                store_all(&tile[row], &mut c[row * n_columns + column..]);
            }
        }
    }
}
