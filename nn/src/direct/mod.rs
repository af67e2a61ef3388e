//! The three convolutions of the Nature torso on stacks of four frames, in f32 on a CPU with AVX-512: forward, and backward
//! without libtorch's graph.
//!
//! libtorch's convolutions (oneDNN) turn weights and gradients to a layout of their own at every call, and each takes the whole
//! batch through memory. Here an image goes through all layers, and back, before the next one: what a layer made is
//! what the next one finds in the cache. Gradients are summed image by image, so no bit depends on threads. Values and
//! gradients are those of libtorch to rounding. `docs/performance.md` has the speed.

mod backward;
mod kernel;
#[cfg(test)]
mod tests;

use std::cell::RefCell;

use tch::{Device, Kind, Tensor};

pub(crate) use self::backward::{Pass, gradients};
use self::kernel::Geometry;
use crate::lanes::on_avx512;
use crate::pixels::interleave;
use crate::slices::with_memory;
use crate::vectors::has_avx512;
use crate::{Compute, ConvSpec, Precision};

/// How many frames are stacked.
const N_FRAMES: usize = 4;
/// The same as an axis of a tensor.
const N_FRAMES_AXIS: i64 = 4;
/// Layers.
pub(crate) const N_LAYERS: usize = 3;
/// Of each layer: numbers in a row of its kernel, and channels that come out.
const SHAPES: [(usize, usize); N_LAYERS] = [(8 * 4, 32), (4 * 32, 64), (3 * 64, 64)];
/// Of each layer: output pixels of a tile. They divide those of an image of 84x84, which are 400, 81 and 49.
const TILE_ROWS: [usize; N_LAYERS] = [10, 9, 7];

/// The convolutions, without their weights.
#[derive(Debug)]
pub(crate) struct DirectConvs {
    net: Net,
    scratch: RefCell<Scratch>,
}

/// Where everything lies.
#[derive(Clone, Copy, Debug)]
struct Net {
    layers: [Layer; N_LAYERS],
    /// Rows and columns of a frame.
    size: [i64; 2],
    /// Its pixels.
    n_pixels: usize,
}

/// A convolution.
#[derive(Clone, Copy, Debug)]
struct Layer {
    geometry: Geometry,
    /// What its input is multiplied by.
    scale: f32,
}

/// What a layer computes with at the moment.
#[derive(Debug)]
pub(crate) struct Weights {
    /// `[out, in + d, k, k]`, in memory as `[out, k, k, in + d]`.
    pub(crate) weight: Tensor,
    /// `[out]`
    pub(crate) bias: Tensor,
    /// `[H'*W', out]`, what coordinates and bias add to each pixel, with libtorch's graph behind it. None without coordinates.
    pub(crate) map: Option<Tensor>,
}

impl Weights {
    /// What is added to each pixel, or to all.
    fn added(&self) -> &Tensor {
        self.map.as_ref().unwrap_or(&self.bias)
    }
}

/// Room that a pass needs, kept from one to the next.
#[derive(Debug, Default)]
struct Scratch {
    /// Of each layer `[k*k*in, out]`.
    weights: [Vec<f32>; N_LAYERS],
    /// `[H, W, 4]`
    pixels: Vec<f32>,
}

impl DirectConvs {
    /// For observations of this shape, if there are kernels for them and this computer.
    pub(crate) fn new(
        specs: &[ConvSpec; N_LAYERS],
        [n_channels, height, width]: [i64; 3],
        compute: Compute,
    ) -> Option<Self> {
        let cpu = compute.device == Device::Cpu && compute.precision == Precision::Float32;
        if n_channels != N_FRAMES_AXIS || !cpu || !has_avx512() {
            return None;
        }
        let mut size = [height, width];
        let layers = specs.map(|spec| {
            let out_size = size.map(|size| spec.out_size(size));
            let layer = Layer::new(&spec, size[1], out_size);
            size = out_size;
            layer
        });
        let shapes = layers.map(|layer| (layer.geometry.row_len(), layer.geometry.out_channels));
        assert_eq!(shapes, SHAPES, "what the kernels were compiled for");
        let net = Net {
            layers,
            size: [height, width],
            n_pixels: count(height * width),
        };
        Some(Self {
            net,
            scratch: RefCell::default(),
        })
    }

    /// The same for another thread.
    pub(crate) fn share(&self) -> Self {
        Self {
            net: self.net,
            scratch: RefCell::default(),
        }
    }

    /// What each layer makes of at least one stack of frames, and what the gradient needs besides. `obs` must not change until then.
    ///
    /// # Shapes
    /// `obs` `u8 [B, 4, H, W]`; the features are `[B, H'*W'*64]`
    ///
    /// # Panics
    /// If the frames are not bytes of this size, or a weight lies otherwise than [`Weights`] says.
    pub(crate) fn pass(&self, weights: [Weights; N_LAYERS], obs: &Tensor) -> Pass {
        let [height, width] = self.net.size;
        assert_eq!(
            obs.size()[1..],
            [N_FRAMES_AXIS, height, width],
            "frames of another size"
        );
        let lies_well = |weights: &Weights| weights.weight.permute([0, 2, 3, 1]).is_contiguous();
        assert!(weights.iter().all(lies_well), "weights in another order");
        let obs = obs.contiguous();
        let activations = self.net.layers.map(|layer| {
            let len = i64::try_from(layer.geometry.out_len()).expect("it came from an i64");
            Tensor::empty([obs.size()[0], len], (Kind::Float, Device::Cpu))
        });
        let scratch = &mut *self.scratch.borrow_mut();
        scratch.pixels.resize(self.net.n_pixels * N_FRAMES, 0.0);
        for (layer_idx, layer) in self.net.layers.iter().enumerate() {
            let packed = &mut scratch.weights[layer_idx];
            let weight = &weights[layer_idx].weight;
            with_memory([], [weight], |[]: [&mut [f32]; 0], [weight]| {
                layer.pack(weight, packed);
            });
        }
        let added = weights.each_ref().map(Weights::added);
        with_memory([], [&obs], |[]: [&mut [u8]; 0], [obs]| {
            with_memory(activations.each_ref(), added, |activations, added| {
                on_avx512!(self.net.forward(obs, scratch, added, activations));
            });
        });
        Pass::new(self.net, weights, obs, activations)
    }
}

impl Net {
    /// Takes all images through all layers.
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
    fn forward(
        &self,
        obs: &[u8],
        scratch: &mut Scratch,
        added: [&[f32]; N_LAYERS],
        [ys_a, ys_b, ys_c]: [&mut [f32]; N_LAYERS],
    ) {
        let [a, b, c] = self.layers.each_ref().map(|layer| &layer.geometry);
        let images = obs.chunks_exact(self.n_pixels * N_FRAMES);
        let ys = ys_a
            .chunks_exact_mut(a.out_len())
            .zip(ys_b.chunks_exact_mut(b.out_len()))
            .zip(ys_c.chunks_exact_mut(c.out_len()));
        let Scratch { weights, pixels } = scratch;
        for (image, ((y_a, y_b), y_c)) in images.zip(ys) {
            interleave(image, pixels, self.n_pixels, f32::from);
            kernel::forward::<{ TILE_ROWS[0] }, { SHAPES[0].0 }>(
                a,
                pixels,
                &weights[0],
                added[0],
                y_a,
            );
            kernel::forward::<{ TILE_ROWS[1] }, { SHAPES[1].0 }>(
                b,
                y_a,
                &weights[1],
                added[1],
                y_b,
            );
            kernel::forward::<{ TILE_ROWS[2] }, { SHAPES[2].0 }>(
                c,
                y_b,
                &weights[2],
                added[2],
                y_c,
            );
        }
    }
}

impl Layer {
    /// Of images `width` pixels wide.
    fn new(spec: &ConvSpec, width: i64, [out_height, out_width]: [i64; 2]) -> Self {
        assert_eq!(spec.padding, 0, "the kernels know none");
        let geometry = Geometry {
            in_width: count(width),
            in_channels: count(spec.in_channels),
            kernel: count(spec.kernel),
            stride: count(spec.stride),
            out_height: count(out_height),
            out_width: count(out_width),
            out_channels: count(spec.out_channels),
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "weights are f32, and so is what they are scaled by"
        )]
        let scale = spec.input_scale as f32;
        Self { geometry, scale }
    }

    /// The weights of the image's channels, scaled, in the order of [`kernel::forward`].
    ///
    /// # Shapes
    /// `weight [out, k, k, in + d]`; `packed` becomes `[k*k*in, out]`.
    fn pack(&self, weight: &[f32], packed: &mut Vec<f32>) {
        let Geometry {
            in_channels,
            out_channels,
            kernel,
            ..
        } = self.geometry;
        let row_len = weight.len() / out_channels;
        let n_channels = row_len / (kernel * kernel);
        packed.resize(self.geometry.window_len() * out_channels, 0.0);
        for (place, packed) in packed.chunks_exact_mut(out_channels).enumerate() {
            let column = place / in_channels * n_channels + place % in_channels;
            let weights = weight[column..].iter().step_by(row_len);
            for (packed, weight) in packed.iter_mut().zip(weights) {
                *packed = self.scale * weight;
            }
        }
    }
}

fn count(size: i64) -> usize {
    usize::try_from(size).expect("sizes are not negative")
}
