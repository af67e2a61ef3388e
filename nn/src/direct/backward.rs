//! The way back through the convolutions: from the gradient of the features to those of weights and biases.

use tch::{Kind, Tensor};

use super::kernel::{Geometry, add_input_gradient, add_weight_gradient};
use super::{Layer, N_FRAMES, N_LAYERS, Net, SHAPES, TILE_ROWS, Weights};
use crate::lanes::on_avx512;
use crate::pixels::interleave;
use crate::slices::with_memory;

/// What a pass has made, and from what.
#[derive(Debug)]
pub(crate) struct Pass {
    net: Net,
    weights: [Weights; N_LAYERS],
    obs: Tensor,
    /// Of each layer `[B, H'*W'*out]`.
    activations: [Tensor; N_LAYERS],
}

/// Gradients that grow image by image.
struct Sums {
    /// Of each layer's weights `[k*k*in, out]`, not yet scaled.
    weights: [Vec<f32>; N_LAYERS],
    /// Of what is added to each pixel, or to all.
    added: [Vec<f32>; N_LAYERS],
}

impl Pass {
    pub(super) fn new(
        net: Net,
        weights: [Weights; N_LAYERS],
        obs: Tensor,
        activations: [Tensor; N_LAYERS],
    ) -> Self {
        Self {
            net,
            weights,
            obs,
            activations,
        }
    }

    /// What came out.
    ///
    /// # Shapes
    /// `[B, H'*W'*64]`
    pub(crate) fn features(&self) -> Tensor {
        let [.., features] = &self.activations;
        features.shallow_clone()
    }

    /// Adds what the images of the pass do.
    fn add_gradients(&self, dfeatures: &Tensor, weights: &[Vec<f32>; N_LAYERS], sums: &mut Sums) {
        let dfeatures = dfeatures.contiguous();
        let [a, b, c] = &self.activations;
        with_memory([], [&self.obs], |[]: [&mut [u8]; 0], [obs]| {
            let read = [a, b, c, &dfeatures];
            with_memory([], read, |[]: [&mut [f32]; 0], [a, b, c, dfeatures]| {
                on_avx512!(self.net.backward(obs, [a, b, c], dfeatures, weights, sums));
            });
        });
    }
}

/// The gradients of weights and biases, each with its parameter, from those of the passes' features.
/// Sums go pass by pass.
///
/// # Panics
/// If the passes are not all of one network.
pub(crate) fn gradients(passes: &[Pass], dfeatures: &[Tensor]) -> Vec<(Tensor, Tensor)> {
    let Some(first) = passes.first() else {
        return Vec::new();
    };
    let layers = first.net.layers;
    let weights = first.weights.each_ref().map(|weights| &weights.weight);
    let mut sums = Sums {
        weights: layers
            .map(|Layer { geometry, .. }| vec![0.0; geometry.window_len() * geometry.out_channels]),
        added: first
            .weights
            .each_ref()
            .map(|weights| vec![0.0; weights.added().numel()]),
    };
    let mut turned: [Vec<f32>; N_LAYERS] = Default::default();
    // The first layer's input has no gradient.
    for ((layer, weight), turned) in layers.iter().zip(weights).zip(&mut turned).skip(1) {
        with_memory([], [weight], |[]: [&mut [f32]; 0], [weight]| {
            layer.turn(weight, turned);
        });
    }
    for (pass, dfeatures) in passes.iter().zip(dfeatures) {
        let own = pass.weights.each_ref().map(|weights| &weights.weight);
        let same = own
            .iter()
            .zip(weights)
            .all(|(a, b)| a.data_ptr() == b.data_ptr());
        assert!(same, "the passes of a tape are those of one network");
        if dfeatures.defined() {
            pass.add_gradients(dfeatures, &turned, &mut sums);
        }
    }
    let parts = layers.iter().zip(&first.weights);
    let parts = parts.zip(sums.weights).zip(&sums.added);
    parts
        .flat_map(|(((layer, weights), dweight), dadded)| {
            let dweight = layer.unpack(&dweight);
            let [dweight, dbias] = weights.gradients(&dweight, dadded);
            let handle = Tensor::shallow_clone;
            [
                (handle(&weights.weight), dweight),
                (handle(&weights.bias), dbias),
            ]
        })
        .collect()
}

impl Weights {
    /// The gradients of weight and bias, from those of the image's weights and of what is added.
    ///
    /// # Shapes
    /// `dweight [out, k, k, in]`, `dadded [out]` or `[H'*W', out]`; gives `[out, in + d, k, k]` and `[out]`.
    fn gradients(&self, dweight: &Tensor, dadded: &[f32]) -> [Tensor; 2] {
        let dadded = Tensor::from_slice(dadded);
        let Some(map) = &self.map else {
            return [dweight.permute([0, 3, 1, 2]), dadded];
        };
        let of_map = (map * dadded.view_as(map)).sum(Kind::Float);
        let leaves = [&self.weight, &self.bias];
        let grads = Tensor::run_backward(&[of_map], &leaves, false, false);
        let [of_weight, of_bias]: [Tensor; 2] = grads.try_into().expect("one for each leaf");
        let n_in = dweight.size()[3];
        let image = of_weight.permute([0, 2, 3, 1]).narrow(3, 0, n_in);
        tch::no_grad(|| image.shallow_clone().copy_(dweight)); // zero before: the map depends on the coordinates' weights only
        [of_weight, of_bias]
    }
}

impl Net {
    /// Takes the gradients of all images back through all layers.
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
    fn backward(
        &self,
        obs: &[u8],
        [ys_a, ys_b, ys_c]: [&[f32]; N_LAYERS],
        dfeatures: &[f32],
        weights: &[Vec<f32>; N_LAYERS],
        sums: &mut Sums,
    ) {
        let [a, b, c] = self.layers.each_ref().map(|layer| &layer.geometry);
        let mut pixels = vec![0.0; self.n_pixels * N_FRAMES];
        let [mut dy_a, mut dy_b, mut dy_c] = [a, b, c].map(|layer| vec![0.0; layer.out_len()]);
        let Sums { weights: dw, added } = sums;
        let images = obs.chunks_exact(self.n_pixels * N_FRAMES);
        let ys = ys_a
            .chunks_exact(a.out_len())
            .zip(ys_b.chunks_exact(b.out_len()))
            .zip(ys_c.chunks_exact(c.out_len()));
        let dys = dfeatures.chunks_exact(c.out_len());
        for ((image, dfeatures), ((y_a, y_b), y_c)) in images.zip(dys).zip(ys) {
            dy_c.copy_from_slice(dfeatures);
            through_relu(&mut dy_c, y_c, c.out_channels, &mut added[2]);
            add_weight_gradient(c, y_b, &dy_c, &mut dw[2]);
            dy_b.fill(0.0);
            add_input_gradient::<{ TILE_ROWS[2] }, { SHAPES[2].1 }>(
                c,
                &dy_c,
                &weights[2],
                &mut dy_b,
            );
            through_relu(&mut dy_b, y_b, b.out_channels, &mut added[1]);
            add_weight_gradient(b, y_a, &dy_b, &mut dw[1]);
            dy_a.fill(0.0);
            add_input_gradient::<{ TILE_ROWS[1] }, { SHAPES[1].1 }>(
                b,
                &dy_b,
                &weights[1],
                &mut dy_a,
            );
            through_relu(&mut dy_a, y_a, a.out_channels, &mut added[0]);
            interleave(image, &mut pixels, self.n_pixels, f32::from);
            add_weight_gradient(a, &pixels, &dy_a, &mut dw[0]);
        }
    }
}

impl Layer {
    /// The weights of the image's channels, scaled, in the order of [`add_input_gradient`].
    ///
    /// # Shapes
    /// `weight [out, k*k, in + d]`; `turned` becomes `[k*k, out, in]`.
    fn turn(&self, weight: &[f32], turned: &mut Vec<f32>) {
        let Geometry {
            in_channels,
            out_channels,
            kernel,
            ..
        } = self.geometry;
        let row_len = weight.len() / out_channels;
        let n_channels = row_len / (kernel * kernel);
        turned.clear();
        for place in 0..kernel * kernel {
            for row in weight.chunks_exact(row_len) {
                let weights = &row[place * n_channels..][..in_channels];
                turned.extend(weights.iter().map(|weight| self.scale * weight));
            }
        }
    }

    /// The gradient of the image's weights from its sums.
    ///
    /// # Shapes
    /// `sums [k*k*in, out]`; gives `[out, k, k, in]`.
    fn unpack(&self, sums: &[f32]) -> Tensor {
        let Geometry {
            in_channels,
            out_channels,
            kernel,
            ..
        } = self.geometry;
        let [n_out, k, n_in] = [out_channels, kernel, in_channels]
            .map(|n| i64::try_from(n).expect("it came from an i64"));
        let mut weights = vec![0.0; sums.len()];
        let rows = weights.chunks_exact_mut(self.geometry.window_len());
        for (out, row) in rows.enumerate() {
            for (weight, sum) in row.iter_mut().zip(sums[out..].iter().step_by(out_channels)) {
                *weight = self.scale * sum;
            }
        }
        Tensor::from_slice(&weights).view([n_out, k, k, n_in])
    }
}

/// `dy = 0 where y <= 0`, and its sum for what was added to each pixel, or to all.
///
/// # Shapes
/// `dy`, `y` `[H', W', out]`; `sum` the same or `[out]`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
fn through_relu(dy: &mut [f32], y: &[f32], n_out: usize, sum: &mut [f32]) {
    for (dy, y) in dy.iter_mut().zip(y) {
        *dy = if *y <= 0.0 { 0.0 } else { *dy };
    }
    if sum.len() == n_out {
        for dy in dy.chunks_exact(n_out) {
            for (sum, dy) in sum.iter_mut().zip(dy) {
                *sum += dy;
            }
        }
    } else {
        for (sum, dy) in sum.iter_mut().zip(dy) {
            *sum += *dy;
        }
    }
}
