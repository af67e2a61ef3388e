//! The three convolutions of the Nature torso on stacks of four frames, in f32 on a CPU with AVX-512: forward, and backward
//! without libtorch's graph, in half the multiplications.
//!
//! A convolution whose stride divides its kernel is one of two or three taps on blocks of pixels, and those go through Winograd's minimal
//! filtering ([`transform`]): each has 16 matrix products ([`product`]), one for each point of a tile, in place of one for each tap.
//!
//! ```text
//!            see                    multiply                        make
//! x [H,W,in] -> [16, tiles, blocks] -------> [16, tiles, outputs] ------> y [H',W',out]
//! ```
//!
//! A few images go through all layers, and back, before the next ones: what a layer made is what the next one finds in the cache.
//! Gradients are summed tile by tile in the order of images, or in parts of so many images whose sums are added in their order: no bit depends on threads. Values
//! and gradients are those of libtorch to rounding. `docs/performance.md` has the speed.

mod backward;
mod geometry;
mod layout;
mod product;
#[cfg(test)]
mod tests;
mod transform;

use std::cell::RefCell;

use tch::{Device, Kind, Tensor};

pub(crate) use self::backward::{Pass, gradients};
use self::geometry::{Geometry, Layer, count};
use self::product::multiply;
use self::transform::{N_POINTS, apart, make, see};
use crate::lanes::on_avx512;
use crate::pixels::interleave;
use crate::pool::share_out;
use crate::slices::with_memory;
use crate::vectors::has_avx512;
use crate::{Compute, ConvSpec, Precision};

/// How many frames are stacked.
const N_FRAMES: usize = 4;
/// The same as an axis of a tensor.
const N_FRAMES_AXIS: i64 = 4;
/// Layers.
pub(crate) const N_LAYERS: usize = 3;
/// Of each layer: taps of its kernel on blocks, channels of a block, channels that come out.
const SHAPES: [[usize; 3]; N_LAYERS] = [[2, 64, 32], [2, 128, 64], [3, 64, 64]];
/// Images that go through the later layers together, so that weights are read once for all of them.
const GROUP: usize = 2;
/// Images that a thread takes at a time.
const TASK: usize = 4;

/// The convolutions, without their weights.
#[derive(Debug)]
pub(crate) struct WinogradConvs {
    net: Net,
    weights: RefCell<[Kept; N_LAYERS]>,
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

/// Room that a thread needs for the images at hand.
#[derive(Debug, Default)]
struct Scratch {
    /// `[H, W, 4]`
    pixels: Vec<f32>,
    room: Room,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// A layer's weights at the points, for as long as they stay the same.
#[derive(Debug, Default)]
struct Kept {
    /// As the tensor has them.
    weight: Vec<f32>,
    /// `[16, blocks, out]`
    points: Vec<f32>,
}

/// Room for the points of tiles.
#[derive(Debug, Default)]
struct Room {
    /// `[16, tiles, blocks]`
    inputs: Vec<f32>,
    /// `[16, tiles, out]`
    outputs: Vec<f32>,
}

impl WinogradConvs {
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
        let shapes = layers.map(|layer| layer.geometry.shape());
        assert_eq!(shapes, SHAPES, "what the kernels were compiled for");
        let net = Net {
            layers,
            size: [height, width],
            n_pixels: count(height * width),
        };
        Some(Self {
            net,
            weights: RefCell::default(),
        })
    }

    /// The same for another thread.
    pub(crate) fn share(&self) -> Self {
        Self {
            net: self.net,
            weights: RefCell::default(),
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
        let kept = &mut *self.weights.borrow_mut();
        let read = weights.each_ref().map(|weights| &weights.weight);
        with_memory([], read, |[]: [&mut [f32]; 0], read| {
            let layers = self.net.layers.iter().zip(&mut *kept).zip(read);
            share_out(layers.collect(), |((layer, kept), weight)| {
                kept.renew(layer, weight);
            });
        });
        let points = kept.each_ref().map(|kept| kept.points.as_slice());
        let added = weights.each_ref().map(Weights::added);
        with_memory([], [&obs], |[]: [&mut [u8]; 0], [obs]| {
            with_memory(activations.each_ref(), added, |activations, added| {
                self.net.forward(obs, points, added, activations);
            });
        });
        Pass::new(&self.net, weights, obs, activations)
    }
}

impl Kept {
    /// Makes them those of `weight`, which may have changed.
    fn renew(&mut self, layer: &Layer, weight: &[f32]) {
        let bits = bytemuck::cast_slice::<f32, u32>;
        if bits(&self.weight) != bits(weight) {
            self.weight.clear();
            self.weight.extend_from_slice(weight);
            layer.weigh(weight, &mut self.points);
        }
    }
}

impl Net {
    /// Takes all images through all layers, on the threads of the rayon pool it is called in.
    fn forward(
        &self,
        obs: &[u8],
        weights: [&[f32]; N_LAYERS],
        added: [&[f32]; N_LAYERS],
        [ys_a, ys_b, ys_c]: [&mut [f32]; N_LAYERS],
    ) {
        let [a, b, c] = self.layers.map(|layer| TASK * layer.geometry.out_len());
        let ys = ys_a.chunks_mut(a).zip(ys_b.chunks_mut(b));
        let ys = ys.zip(ys_c.chunks_mut(c)).map(|((a, b), c)| [a, b, c]);
        let tasks = obs.chunks(TASK * self.n_pixels * N_FRAMES).zip(ys);
        share_out(tasks.collect(), |(obs, ys)| {
            SCRATCH.with_borrow_mut(|scratch| {
                on_avx512!(self.forward_some(obs, scratch, weights, added, ys));
            });
        });
    }

    /// Takes images through all layers, layer by layer.
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
    fn forward_some(
        &self,
        obs: &[u8],
        Scratch { pixels, room }: &mut Scratch,
        [of_a, of_b, of_c]: [&[f32]; N_LAYERS],
        added: [&[f32]; N_LAYERS],
        [ys_a, ys_b, ys_c]: [&mut [f32]; N_LAYERS],
    ) {
        let [a, b, c] = self.layers.each_ref().map(|layer| &layer.geometry);
        pixels.resize(self.n_pixels * N_FRAMES, 0.0);
        let images = obs.chunks_exact(self.n_pixels * N_FRAMES);
        for (image, y) in images.zip(ys_a.chunks_exact_mut(a.out_len())) {
            interleave(image, pixels, self.n_pixels, f32::from);
            let tile_row = a.tile * a.out_size[1] * a.out_channels;
            for (idx, y) in y.chunks_mut(tile_row).enumerate() {
                let x = &pixels[idx * a.tile * a.stride * a.in_width * a.in_channels..];
                let map = match added[0] {
                    everywhere if everywhere.len() == a.out_channels => everywhere,
                    map => &map[idx * tile_row..][..y.len()],
                };
                let strip = a.strip(y.len());
                forward::<2, 64>(&strip, x, of_a, map, y, room);
            }
        }
        let groups = ys_a.chunks(GROUP * a.out_len());
        for (xs, ys) in groups.zip(ys_b.chunks_mut(GROUP * b.out_len())) {
            forward::<2, 128>(b, xs, of_b, added[1], ys, room);
        }
        let groups = ys_b.chunks(GROUP * b.out_len());
        for (xs, ys) in groups.zip(ys_c.chunks_mut(GROUP * c.out_len())) {
            forward::<3, 64>(c, xs, of_c, added[2], ys, room);
        }
    }
}

/// `ys = relu(conv(xs, weights) + map)` for images that lie one after the other.
///
/// # Shapes
/// `xs [B, H, W, in]`, `weights [16, blocks, out]`, `ys [B, H', W', out]`; `map [H', W', out]`, or `[out]` for every pixel.
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
fn forward<const TAPS: usize, const BLOCK: usize>(
    geometry: &Geometry,
    xs: &[f32],
    weights: &[f32],
    map: &[f32],
    ys: &mut [f32],
    room: &mut Room,
) {
    let n_images = ys.len() / geometry.out_len();
    let n_tiles = n_images * geometry.n_tiles();
    let n_outputs = n_tiles * geometry.out_channels;
    let [inputs, outputs] = room.of([n_tiles * BLOCK, n_outputs]);
    for (image, x) in xs.chunks_exact(xs.len() / n_images).enumerate() {
        see(geometry, x, (image * geometry.n_tiles(), n_tiles), inputs);
    }
    let points = at_points(inputs, n_tiles * BLOCK)
        .zip(at_points(weights, BLOCK * geometry.out_channels))
        .zip(at_points_mut(outputs, n_outputs));
    for ((inputs, weights), outputs) in points {
        multiply::<BLOCK>(inputs, weights, outputs);
    }
    for (image, y) in ys.chunks_exact_mut(geometry.out_len()).enumerate() {
        let place = (image * geometry.n_tiles(), n_tiles);
        make::<TAPS>(geometry, outputs, place, map, y);
    }
}

impl Room {
    /// Room for so many inputs and outputs at each point.
    fn of(&mut self, sizes: [usize; 2]) -> [&mut [f32]; 2] {
        let mut room = [&mut self.inputs, &mut self.outputs];
        for (room, size) in room.iter_mut().zip(sizes) {
            if room.len() < N_POINTS * apart(size) {
                room.resize(N_POINTS * apart(size), 0.0);
            }
        }
        let [inputs, outputs] = room;
        [
            &mut inputs[..N_POINTS * apart(sizes[0])],
            &mut outputs[..N_POINTS * apart(sizes[1])],
        ]
    }
}

/// The `n` numbers at each point.
fn at_points(all: &[f32], n: usize) -> impl Iterator<Item = &[f32]> {
    all.chunks_exact(apart(n)).map(move |point| &point[..n])
}

/// The same to be written.
fn at_points_mut(all: &mut [f32], n: usize) -> impl Iterator<Item = &mut [f32]> {
    all.chunks_exact_mut(apart(n))
        .map(move |point| &mut point[..n])
}
