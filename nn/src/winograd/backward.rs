//! The way back through the convolutions: from the gradient of the features to those of weights and biases.

use tch::{Kind, Tensor};

use super::geometry::Geometry;
use super::product::{add_outer_products, multiply};
use super::transform::{add_seen, see, unmake};
use super::{
    GROUP, N_FRAMES, N_LAYERS, Net, Room, SCRATCH, Scratch, Weights, at_points, at_points_mut,
};
use crate::lanes::on_avx512;
use crate::pixels::interleave;
use crate::pool::share_out;
use crate::slices::with_memory;
use crate::vectors::on_widest_vectors;

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
    /// Of each layer's weights at the points `[16, blocks, out]`, not yet scaled.
    weights: [Vec<f32>; N_LAYERS],
    /// Of what is added to each pixel, or to all.
    added: [Vec<f32>; N_LAYERS],
}

/// Images, what their pass made of them, and the gradient of what came out.
struct Images<'a> {
    /// `[B, 4, H, W]`
    obs: &'a [u8],
    /// Of each layer `[B, H', W', out]`.
    activations: [&'a [f32]; N_LAYERS],
    /// As the last of these.
    dfeatures: &'a [f32],
}

/// Images that go back together where nothing is shared out.
const AT_A_TIME: usize = 8;
/// Numbers of the sums that a thread adds up at a time.
const PIECE: usize = 1 << 14;

impl Pass {
    pub(super) fn new(
        net: &Net,
        weights: [Weights; N_LAYERS],
        obs: Tensor,
        activations: [Tensor; N_LAYERS],
    ) -> Self {
        Self {
            net: *net,
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

    /// Adds what the images of the pass do, all one after the other or in parts of so many.
    fn add_gradients(
        &self,
        dfeatures: &Tensor,
        weights: &[Vec<f32>; N_LAYERS],
        part: Option<usize>,
        sums: &mut Sums,
    ) {
        let size = self.features().size();
        assert_eq!(dfeatures.size(), size, "the gradient of something else");
        let dfeatures = dfeatures.contiguous();
        let (net, [a, b, c]) = (self.net, &self.activations);
        with_memory([], [&self.obs], |[]: [&mut [u8]; 0], [obs]| {
            let read = [a, b, c, &dfeatures];
            with_memory([], read, |[]: [&mut [f32]; 0], [a, b, c, dfeatures]| {
                let images = Images {
                    obs,
                    activations: [a, b, c],
                    dfeatures,
                };
                match part {
                    None => {
                        for images in images.parts(AT_A_TIME, &net) {
                            net.add_gradients(&images, weights, sums);
                        }
                    }
                    Some(part) => {
                        let parts = images.parts(part, &net).collect();
                        let of_parts = share_out(parts, |images: Images<'_>| {
                            let mut own = sums.zeros();
                            net.add_gradients(&images, weights, &mut own);
                            own
                        });
                        sums.add(&of_parts);
                    }
                }
            });
        });
    }
}

impl Sums {
    /// Others of the same network.
    fn zeros(&self) -> Self {
        let zeros = |of: &Vec<f32>| vec![0.0; of.len()];
        Self {
            weights: self.weights.each_ref().map(zeros),
            added: self.added.each_ref().map(zeros),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Vec<f32>> {
        self.weights.iter().chain(&self.added)
    }

    /// Adds others in their order, on the threads of the rayon pool it is called in.
    fn add(&mut self, others: &[Self]) {
        let sums = self.weights.iter_mut().chain(&mut self.added).enumerate();
        let pieces = sums.flat_map(|(idx, sum)| {
            let pieces = sum.chunks_mut(PIECE).enumerate();
            pieces.map(move |(number, piece)| (idx, number * PIECE, piece))
        });
        share_out(
            pieces.collect(),
            |(idx, first, sum): (usize, usize, &mut [f32])| {
                for other in others {
                    let other = other.all().nth(idx).expect("as many as these");
                    let other = &other[first..][..sum.len()];
                    on_widest_vectors(|| {
                        for (sum, other) in sum.iter_mut().zip(other) {
                            *sum += other;
                        }
                    });
                }
            },
        );
    }
}

impl<'a> Images<'a> {
    /// So many at a time, the last ones perhaps fewer.
    fn parts(&self, n: usize, net: &Net) -> impl Iterator<Item = Images<'a>> {
        let [a, b, c] = self.activations;
        let [len_a, len_b, len_c] = net.layers.map(|layer| n * layer.geometry.out_len());
        let obs = self.obs.chunks(n * net.n_pixels * N_FRAMES);
        let activations = a.chunks(len_a).zip(b.chunks(len_b)).zip(c.chunks(len_c));
        let parts = obs.zip(activations).zip(self.dfeatures.chunks(len_c));
        parts.map(|((obs, ((a, b), c)), dfeatures)| Images {
            obs,
            activations: [a, b, c],
            dfeatures,
        })
    }
}

/// The gradients of weights and biases, each with its parameter, from those of the passes' features.
/// Sums go image by image and pass by pass; with `part`, the images of a pass are first summed in parts of so many, which the threads of the rayon
/// pool it is called in share out. No bit depends on the threads.
///
/// # Panics
/// If the passes are not all of one network.
pub(crate) fn gradients(
    passes: &[Pass],
    dfeatures: &[Tensor],
    part: Option<usize>,
) -> Vec<(Tensor, Tensor)> {
    let Some(first) = passes.first() else {
        return Vec::new();
    };
    let layers = first.net.layers;
    let weights = first.weights.each_ref().map(|weights| &weights.weight);
    let mut sums = Sums {
        weights: layers.map(|layer| vec![0.0; layer.geometry.n_weights_at_points()]),
        added: (first.weights.each_ref()).map(|weights| vec![0.0; weights.added().numel()]),
    };
    let mut turned: [Vec<f32>; N_LAYERS] = Default::default();
    with_memory([], weights, |[]: [&mut [f32]; 0], weights| {
        // The first layer's input has no gradient.
        let later = layers.iter().zip(weights).zip(&mut turned).skip(1);
        share_out(later.collect(), |((layer, weight), turned)| {
            *turned = layer.turn(weight);
        });
    });
    for (pass, dfeatures) in passes.iter().zip(dfeatures) {
        let own = pass.weights.each_ref().map(|weights| &weights.weight);
        let same = own
            .iter()
            .zip(weights)
            .all(|(a, b)| a.data_ptr() == b.data_ptr());
        assert!(same, "the passes of a tape are those of one network");
        if dfeatures.defined() {
            pass.add_gradients(dfeatures, &turned, part, &mut sums);
        }
    }
    let unpacked = layers.iter().zip(&sums.weights).collect();
    let unpacked = share_out(unpacked, |(layer, sums)| layer.unpack(sums));
    let parts = layers.iter().zip(&first.weights);
    let parts = parts.zip(unpacked).zip(&sums.added);
    parts
        .flat_map(|(((layer, weights), dweight), dadded)| {
            let [dweight, dbias] = weights.gradients(&layer.tensor(&dweight), dadded);
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
    /// Adds what images do, one after the other.
    fn add_gradients(&self, images: &Images<'_>, weights: &[Vec<f32>; N_LAYERS], sums: &mut Sums) {
        SCRATCH.with_borrow_mut(|scratch| {
            on_avx512!(self.backward(images, weights, sums, scratch));
        });
    }

    /// Takes the gradients of images back through all layers.
    #[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
    fn backward(
        &self,
        images: &Images<'_>,
        weights: &[Vec<f32>; N_LAYERS],
        sums: &mut Sums,
        Scratch { pixels, room }: &mut Scratch,
    ) {
        let &Images {
            obs,
            activations: [ys_a, ys_b, ys_c],
            dfeatures,
        } = images;
        let [a, b, c] = self.layers.each_ref().map(|layer| &layer.geometry);
        let Sums { weights: dw, added } = sums;

        let mut dys_c = dfeatures.to_vec();
        through_relu(&mut dys_c, ys_c, &mut added[2]);
        let groups = ys_b.chunks(GROUP * b.out_len());
        for (xs, dys) in groups.zip(dys_c.chunks(GROUP * c.out_len())) {
            add_weight_gradient::<3, 64>(c, xs, dys, &mut dw[2], room);
        }
        let mut dys_b = vec![0.0; ys_b.len()];
        let groups = dys_c.chunks(GROUP * c.out_len());
        for (dys, dxs) in groups.zip(dys_b.chunks_mut(GROUP * b.out_len())) {
            add_input_gradient::<3, 64>(c, dys, &weights[2], dxs, room);
        }

        through_relu(&mut dys_b, ys_b, &mut added[1]);
        let groups = ys_a.chunks(GROUP * a.out_len());
        for (xs, dys) in groups.zip(dys_b.chunks(GROUP * b.out_len())) {
            add_weight_gradient::<2, 128>(b, xs, dys, &mut dw[1], room);
        }
        let mut dys_a = vec![0.0; ys_a.len()];
        let groups = dys_b.chunks(GROUP * b.out_len());
        for (dys, dxs) in groups.zip(dys_a.chunks_mut(GROUP * a.out_len())) {
            add_input_gradient::<2, 64>(b, dys, &weights[1], dxs, room);
        }

        through_relu(&mut dys_a, ys_a, &mut added[0]);
        pixels.resize(self.n_pixels * N_FRAMES, 0.0);
        let images = obs.chunks_exact(self.n_pixels * N_FRAMES);
        for (image, dy) in images.zip(dys_a.chunks_exact(a.out_len())) {
            interleave(image, pixels, self.n_pixels, f32::from);
            add_weight_gradient::<2, 64>(a, pixels, dy, &mut dw[0], room);
        }
    }
}

/// Adds what some images give to the gradient of the weights at the points.
///
/// # Shapes
/// `xs [B, H, W, in]`, `dys [B, H', W', out]`, `dw [16, blocks, out]`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
fn add_weight_gradient<const TAPS: usize, const BLOCK: usize>(
    geometry: &Geometry,
    xs: &[f32],
    dys: &[f32],
    dw: &mut [f32],
    room: &mut Room,
) {
    let n_images = dys.len() / geometry.out_len();
    let n_tiles = n_images * geometry.n_tiles();
    let n_outputs = n_tiles * geometry.out_channels;
    let [inputs, outputs] = room.of([n_tiles * BLOCK, n_outputs]);
    let images = xs.chunks_exact(xs.len() / n_images);
    for (image, (x, dy)) in images.zip(dys.chunks_exact(geometry.out_len())).enumerate() {
        let place = (image * geometry.n_tiles(), n_tiles);
        see(geometry, x, place, inputs);
        unmake::<TAPS>(geometry, dy, place, outputs);
    }
    let points = at_points(inputs, n_tiles * BLOCK)
        .zip(at_points(outputs, n_outputs))
        .zip(at_points_mut(dw, BLOCK * geometry.out_channels));
    for ((inputs, outputs), dw) in points {
        add_outer_products::<BLOCK>(inputs, outputs, dw);
    }
}

/// Adds to the gradient of images what follows from that of their outputs.
///
/// # Shapes
/// `dys [B, H', W', out]`, `weights [16, out, blocks]`, `dxs [B, H, W, in]`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
fn add_input_gradient<const TAPS: usize, const OUT: usize>(
    geometry: &Geometry,
    dys: &[f32],
    weights: &[f32],
    dxs: &mut [f32],
    room: &mut Room,
) {
    let n_images = dys.len() / geometry.out_len();
    let n_tiles = n_images * geometry.n_tiles();
    let n_inputs = n_tiles * geometry.block_channels();
    let [inputs, outputs] = room.of([n_inputs, n_tiles * OUT]);
    let place = |image| (image * geometry.n_tiles(), n_tiles);
    for (image, dy) in dys.chunks_exact(geometry.out_len()).enumerate() {
        unmake::<TAPS>(geometry, dy, place(image), outputs);
    }
    let points = at_points(outputs, n_tiles * OUT)
        .zip(at_points(weights, OUT * geometry.block_channels()))
        .zip(at_points_mut(inputs, n_inputs));
    for ((outputs, weights), inputs) in points {
        multiply::<OUT>(outputs, weights, inputs);
    }
    let dx_len = dxs.len() / n_images;
    for (image, dx) in dxs.chunks_exact_mut(dx_len).enumerate() {
        add_seen(geometry, inputs, place(image), dx);
    }
}

/// `dy = 0 where y <= 0`, and its sum for what was added to each pixel, or to all.
///
/// # Shapes
/// `dys`, `ys` `[B, H', W', out]`; `sum [H', W', out]` or `[out]`
#[cfg_attr(target_arch = "x86_64", target_feature(enable = "avx512f"))]
#[inline]
fn through_relu(dys: &mut [f32], ys: &[f32], sum: &mut [f32]) {
    for (dy, y) in dys.iter_mut().zip(ys) {
        *dy = if *y <= 0.0 { 0.0 } else { *dy };
    }
    for dy in dys.chunks_exact(sum.len()) {
        for (sum, dy) in sum.iter_mut().zip(dy) {
            *sum += *dy;
        }
    }
}
