//! Weights at the points of tiles, and their gradients as the parameters lie.

use tch::Tensor;

use super::geometry::{Geometry, Layer};
use super::transform::{unweigh, weigh, weigh_turned};
use crate::lanes::{LANES, load_all, on_avx512, scaled, store_all, transposed, zero};

impl Layer {
    /// The weights of the image's channels, scaled, at the points.
    ///
    /// # Shapes
    /// `weight [out, k, k, in + d]`; `points` becomes `[16, blocks, out]`.
    pub(super) fn weigh(&self, weight: &[f32], points: &mut Vec<f32>) {
        let (n_out, window_len) = (self.geometry.out_channels, self.geometry.window_len());
        let of_image = self.without_coordinates(weight);
        let weight = of_image.as_deref().unwrap_or(weight);
        let mut packed = vec![0.0; weight.len()]; // [k*k*in, out]
        on_avx512!(transpose(
            weight,
            [n_out, window_len],
            self.scale,
            &mut packed
        ));
        points.resize(self.geometry.n_weights_at_points(), 0.0);
        match self.geometry.taps {
            2 => on_avx512!(weigh::<2>(&self.geometry, &packed, points)),
            3 => on_avx512!(weigh::<3>(&self.geometry, &packed, points)),
            taps => unreachable!("a kernel of {taps} taps"),
        }
    }

    /// The same, turned over.
    ///
    /// # Shapes
    /// `weight [out, k*k, in + d]`; gives `[16, out, blocks]`.
    pub(super) fn turn(&self, weight: &[f32]) -> Vec<f32> {
        let Geometry {
            in_channels,
            out_channels,
            kernel,
            ..
        } = self.geometry;
        let row_len = weight.len() / out_channels;
        let n_channels = row_len / (kernel * kernel);
        let mut turned = vec![0.0; self.geometry.window_len() * out_channels]; // [k*k, out, in]
        for (idx, turned) in turned.chunks_exact_mut(in_channels).enumerate() {
            let (place, out) = (idx / out_channels, idx % out_channels);
            let weights = &weight[out * row_len + place * n_channels..][..in_channels];
            for (turned, weight) in turned.iter_mut().zip(weights) {
                *turned = self.scale * weight;
            }
        }
        let mut points = vec![0.0; self.geometry.n_weights_at_points()];
        match self.geometry.taps {
            2 => on_avx512!(weigh_turned::<2>(&self.geometry, &turned, &mut points)),
            3 => on_avx512!(weigh_turned::<3>(&self.geometry, &turned, &mut points)),
            taps => unreachable!("a kernel of {taps} taps"),
        }
        points
    }

    /// The gradient of the image's weights from its sums at the points.
    ///
    /// # Shapes
    /// `points [16, blocks, out]`; gives `[out, k, k, in]` in its memory.
    pub(super) fn unpack(&self, points: &[f32]) -> Vec<f32> {
        let size = [self.geometry.window_len(), self.geometry.out_channels];
        let mut sums = vec![0.0; size[0] * size[1]]; // [k*k*in, out]
        match self.geometry.taps {
            2 => on_avx512!(unweigh::<2>(&self.geometry, points, &mut sums)),
            3 => on_avx512!(unweigh::<3>(&self.geometry, points, &mut sums)),
            taps => unreachable!("a kernel of {taps} taps"),
        }
        let mut weights = vec![0.0; sums.len()];
        on_avx512!(transpose(&sums, size, self.scale, &mut weights));
        weights
    }

    /// What [`Self::unpack`] gave as a tensor `[out, k, k, in]`.
    pub(super) fn tensor(&self, weights: &[f32]) -> Tensor {
        let Geometry {
            in_channels,
            out_channels,
            kernel,
            ..
        } = self.geometry;
        let size = [out_channels, kernel, kernel, in_channels];
        let size = size.map(|n| i64::try_from(n).expect("it came from an i64"));
        Tensor::from_slice(weights).view(size)
    }

    /// The weights of the image's channels, if there are others.
    ///
    /// # Shapes
    /// `weight [out, k, k, in + d]`; gives `[out, k, k, in]`.
    fn without_coordinates(&self, weight: &[f32]) -> Option<Vec<f32>> {
        let n_in = self.geometry.in_channels;
        let n_places = self.geometry.out_channels * self.geometry.window_len() / n_in;
        let n_channels = weight.len() / n_places;
        let of_image = weight.chunks_exact(n_channels).flat_map(|at| &at[..n_in]);
        (n_channels > n_in).then(|| of_image.copied().collect())
    }
}

/// `to = scale * from`, rows as columns, in squares that fit into the registers.
///
/// # Shapes
/// `from [rows, columns]`, both multiples of 16, `to [columns, rows]`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
fn transpose(from: &[f32], [n_rows, n_columns]: [usize; 2], scale: f32, to: &mut [f32]) {
    for first_row in (0..n_rows).step_by(LANES) {
        for first_column in (0..n_columns).step_by(LANES) {
            let mut rows = [zero(); LANES];
            for (idx, row) in rows.iter_mut().enumerate() {
                let [whole] = load_all(&from[(first_row + idx) * n_columns + first_column..]);
                *row = scaled(whole, scale);
            }
            for (idx, column) in transposed(&rows).into_iter().enumerate() {
                let to = &mut to[(first_column + idx) * n_rows + first_row..];
                store_all(&[column], to);
            }
        }
    }
}
