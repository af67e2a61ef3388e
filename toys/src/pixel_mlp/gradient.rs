//! The backward pass of one image, over the pixels whose gradient is not negligible.

use rlrun_nn::vectors::{FusedPass, on_widest_fused_vectors};

use super::frozen::{Activations, FrozenMlp, TILE_PIXELS};
use super::kernel::{TILE_ROWS, add_weight_gradient, back_through_relu};
use crate::not_so_clevr::CANVAS;

/// The most that the left out pixels of an image may have of the sum of its logit gradients' magnitudes. It is the order
/// of the rounding errors of summing 4096 numbers of `f32`.
pub const IGNORED_SHARE: f32 = 1e-6;

impl FrozenMlp {
    /// The gradient of one image's loss, in this order: for each layer its weight `[in, out]` and its bias.
    ///
    /// # Shapes
    /// `dlogits [4096]`
    pub(super) fn gradient(&self, input: [f32; 2], dlogits: &[f32]) -> Vec<f32> {
        let mut gradient = vec![0.0; self.n_params()];
        on_widest_fused_vectors(BackwardPass {
            mlp: self,
            input,
            pixels: &live_pixels(dlogits),
            dlogits,
            gradient: &mut gradient,
        });
        gradient
    }
}

/// The pixels that the backward pass needs, in order.
pub(super) fn live_pixels(dlogits: &[f32]) -> Vec<usize> {
    let total: f32 = dlogits.iter().map(|g| g.abs()).sum();
    #[expect(clippy::cast_precision_loss, reason = "4096 is exact")]
    let negligible = IGNORED_SHARE * total / dlogits.len() as f32;
    // A gradient that is not a number is kept, and seen; then `negligible` is not a number either.
    let is_live = |g: f32| g.abs() > negligible || (g != 0.0 && total.is_nan());
    let pixels = dlogits.iter().enumerate();
    pixels
        .filter(|&(_, &g)| is_live(g))
        .map(|(pixel, _)| pixel)
        .collect()
}

struct BackwardPass<'a> {
    mlp: &'a FrozenMlp,
    input: [f32; 2],
    pixels: &'a [usize],
    dlogits: &'a [f32],
    gradient: &'a mut [f32],
}

impl FusedPass for BackwardPass<'_> {
    #[expect(
        clippy::inline_always,
        reason = "it is compiled for the vectors of the function it is inlined into"
    )]
    #[inline(always)]
    fn run<const FUSED: bool>(self) {
        let base = self.mlp.first.base(self.input);
        let mut activations = self.mlp.activations();
        let mut grads = self.mlp.activations();
        for pixels in self.pixels.chunks(TILE_PIXELS) {
            // The kernel takes whole tiles of rows: the last ones may be rows without a gradient.
            let n_rows = pixels.len().next_multiple_of(TILE_ROWS);
            let row = |row_idx: usize| pixels.get(row_idx).copied();
            let rows = (0..n_rows).map(|row_idx| row(row_idx).unwrap_or(0));
            self.mlp.activate::<FUSED>(&base, rows, &mut activations);
            let dlogits = (0..n_rows).map(|idx| row(idx).map_or(0.0, |pixel| self.dlogits[pixel]));
            let mut tile = Tile {
                mlp: self.mlp,
                n_rows,
                activations: &activations,
                grads: &mut grads,
            };
            let rest = tile.last_layer(dlogits, self.gradient);
            let rest = tile.hidden_layers::<FUSED>(rest);
            tile.first_layer(self.input, pixels, rest);
        }
    }
}

/// One tile of pixels on its way back. Each layer takes its own part from the end of the gradient and hands on the rest.
struct Tile<'a> {
    mlp: &'a FrozenMlp,
    n_rows: usize,
    activations: &'a Activations,
    /// With respect to each layer's sum, before its `ReLU`.
    grads: &'a mut Activations,
}

impl Tile<'_> {
    #[expect(
        clippy::inline_always,
        reason = "it is compiled for the vectors of the function it is inlined into"
    )]
    #[inline(always)]
    fn last_layer<'g>(
        &mut self,
        dlogits: impl Iterator<Item = f32>,
        gradient: &'g mut [f32],
    ) -> &'g mut [f32] {
        let weight = &self.mlp.last_weight;
        let n_in = weight.len();
        let (rest, own) = gradient.split_at_mut(gradient.len() - n_in - 1);
        let (dw, db) = own.split_at_mut(n_in);
        let h = self.activations.last().expect("there are layers");
        let grad = self.grads.last_mut().expect("there are layers");
        let rows = h.chunks_exact(n_in).zip(grad.chunks_exact_mut(n_in));
        for (dlogit, (h, grad)) in dlogits.zip(rows) {
            db[0] += dlogit;
            for (((grad, &h), w), dw) in grad.iter_mut().zip(h).zip(weight).zip(dw.iter_mut()) {
                *grad = if h > 0.0 { dlogit * w } else { 0.0 };
                *dw += dlogit * h;
            }
        }
        rest
    }

    #[expect(
        clippy::inline_always,
        reason = "it is compiled for the vectors of the function it is inlined into"
    )]
    #[inline(always)]
    fn hidden_layers<'g, const FUSED: bool>(&mut self, gradient: &'g mut [f32]) -> &'g mut [f32] {
        let mut rest = gradient;
        for (layer_idx, layer) in self.mlp.hidden.iter().enumerate().rev() {
            let n_out = layer.bias.len();
            let n_in = layer.weight.len() / n_out;
            let (before, own) = rest.split_at_mut(rest.len() - layer.weight.len() - n_out);
            rest = before;
            let (dw, db) = own.split_at_mut(layer.weight.len());
            let (earlier, later) = self.grads.split_at_mut(layer_idx + 1);
            let dy = &later[0][..self.n_rows * n_out];
            let h = &self.activations[layer_idx][..self.n_rows * n_in];
            add_weight_gradient::<FUSED>(h, dy, n_out, dw);
            add_rows(dy, db);
            let dx = &mut earlier[layer_idx][..self.n_rows * n_in];
            back_through_relu::<FUSED>(dy, &layer.transposed, n_in, h, dx);
        }
        rest
    }

    /// The location is the same for all pixels, so its part is that of the bias, scaled. `pixels` may be fewer than the rows;
    /// those beyond have no gradient.
    #[expect(
        clippy::inline_always,
        reason = "it is compiled for the vectors of the function it is inlined into"
    )]
    #[inline(always)]
    fn first_layer(&mut self, input: [f32; 2], pixels: &[usize], gradient: &mut [f32]) {
        let axis = &self.mlp.first.axis;
        let n_out = gradient.len() / 5; // x, y, xx, yy and the bias
        let mut parts = gradient.chunks_exact_mut(n_out);
        let [dx, dy, dxx, dyy, db] = std::array::from_fn(|_| parts.next().expect("five parts"));
        for (&pixel, grad) in pixels.iter().zip(self.grads[0].chunks_exact(n_out)) {
            let (xx, yy) = (axis[pixel % CANVAS], axis[pixel / CANVAS]);
            for channel in 0..n_out {
                dx[channel] += grad[channel] * input[0];
                dy[channel] += grad[channel] * input[1];
                dxx[channel] += grad[channel] * xx;
                dyy[channel] += grad[channel] * yy;
                db[channel] += grad[channel];
            }
        }
    }
}

/// Adds all rows to `sum`.
#[expect(
    clippy::inline_always,
    reason = "it is compiled for the vectors of the function it is inlined into"
)]
#[inline(always)]
fn add_rows(rows: &[f32], sum: &mut [f32]) {
    for row in rows.chunks_exact(sum.len()) {
        for (sum, x) in sum.iter_mut().zip(row) {
            *sum += x;
        }
    }
}
