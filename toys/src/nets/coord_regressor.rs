//! The `CoordConv` network that regresses a pixel's location (Liu et al. 2018, section 5; `coordconv_regressor` in the
//! released code). It has no `ReLU` anywhere: five convolutions of the image and its coordinates, then the maximum over all
//! pixels.
//!
//! ```text
//! one-hot image, xx, yy [B, 3, 64, 64]
//!   conv1..3  1x1, 8 channels
//!   conv4     3x3, 8 channels
//!   conv5     3x3, 2 channels
//!   maximum over the 64x64 pixels
//! ```
//!
//! # How it is computed
//! Before the maximum the network is linear (affine) in its input, and the coordinates are the same for every example:
//!
//! ```text
//! map(image) = map(zero image)  +  response(image)
//!              base [2, 4096]      patch [2, 5, 5], at the pixel of the example
//! ```
//!
//! The two 3x3 kernels see two pixels far, and no centre is nearer than four to the border, so the patch is the same for
//! every example. The maximum is then that of 25 pixels and of the base outside of them, which is among its greatest 26.
//! Only these 51 numbers are computed per example: exact but for rounding, and thousands of times less work than
//! 64x64 pixels.
//!
//! If two pixels share the maximum exactly, one of them gets the gradient, as in max pooling, but maybe the other one.

use rand::Rng;
use rlrun_nn::{Params, coord_channels};
use tch::{Device, Kind, Tensor};

use crate::layers::{SameConv2d, SameConvSpec};
use crate::not_so_clevr::{CANVAS, Location};

/// Channels that come out of each convolution, and its kernel.
const CONVS: [(i64, i64); 5] = [(8, 1), (8, 1), (8, 1), (8, 3), (2, 3)];
/// Rows, and columns, of the pixels that one pixel has an influence on.
const PATCH: i64 = 5;
/// Pixels of the patch.
const N_PATCH: i64 = PATCH * PATCH;
/// Rows, and columns, of the canvas.
const SIZE: i64 = 64;
const _: () = assert!(CANVAS == 64, "the canvas has SIZE rows");

/// The network.
#[derive(Debug)]
pub struct CoordRegressor {
    convs: Vec<SameConv2d>,
    coords: Tensor,        // [1, 2, 64, 64]
    one_hot: Tensor,       // [1, 1, 5, 5], the pixel in its middle
    patch_offsets: Tensor, // i64 [1, 25], from the centre's pixel to those of the patch
}

impl CoordRegressor {
    /// Parameters `conv1.weight`, `conv1.bias` ... `conv5.bias`.
    pub fn new(params: &mut Params, rng: &mut impl Rng) -> Self {
        let mut n_in = 3;
        let convs = CONVS.iter().zip(1..);
        let convs = convs.map(|(&(n_out, kernel), layer)| {
            let spec = SameConvSpec::new(n_in, n_out, kernel);
            n_in = n_out;
            SameConv2d::new(params, &format!("conv{layer}"), spec, rng)
        });
        let convs = convs.collect();
        let options = (Kind::Float, params.device());
        let one_hot = Tensor::zeros([1, 1, PATCH, PATCH], options);
        let _ = one_hot.view([-1]).get(N_PATCH / 2).fill_(1.0);
        let steps = Tensor::arange(PATCH, (Kind::Int64, Device::Cpu)) - PATCH / 2;
        let patch_offsets = &steps.view([PATCH, 1]) * SIZE + &steps;
        Self {
            convs,
            coords: coord_channels(SIZE, SIZE, false, options),
            one_hot,
            patch_offsets: patch_offsets.view([1, N_PATCH]).to_device(params.device()),
        }
    }

    /// The columns and rows that the network reads from the one-hot images of `locations`.
    ///
    /// # Shapes
    /// `[B, 2]`, in 64ths of the canvas.
    pub fn forward(&self, locations: &[Location]) -> Tensor {
        let base = self.base(); // [2, 4096]
        let window = self.windows(locations); // i64 [B, 25]
        let n_examples = window.size()[0];

        let inside = base
            .index_select(1, &window.view([-1]))
            .view([2, n_examples, N_PATCH])
            + self.patch().view([2, 1, N_PATCH]); // [2, B, 25]

        let (greatest, pixels) = base.topk(N_PATCH + 1, 1, true, true); // [2, 26]
        let covered = pixels
            .view([2, 1, -1, 1])
            .eq_tensor(&window.view([1, n_examples, 1, -1]))
            .any_dim(-1, false); // bool [2, B, 26]
        let outside = greatest
            .view([2, 1, -1])
            .expand([-1, n_examples, -1], false)
            .masked_fill(&covered, f64::NEG_INFINITY); // [2, B, 26]

        let (max, _) = Tensor::cat(&[inside, outside], 2).max_dim(2, false); // [2, B]
        max.tr()
    }

    /// The network by its definition, for any image.
    ///
    /// # Shapes
    /// `[B, 1, 64, 64] -> [B, 2]`
    pub fn forward_images(&self, images: &Tensor) -> Tensor {
        let coords = self.coords.expand([images.size()[0], -1, -1, -1], false);
        let input = Tensor::cat(&[images, &coords], 1); // [B, 3, 64, 64]
        let map = self.convs.iter().fold(input, |x, conv| conv.forward(&x)); // [B, 2, 64, 64]
        map.max_pool2d([SIZE; 2], [SIZE; 2], [0, 0], [1, 1], false)
            .flatten(1, -1)
    }

    /// What the network makes of an image without a pixel.
    ///
    /// # Shapes
    /// `[2, 4096]`
    fn base(&self) -> Tensor {
        let image = self
            .coords
            .new_zeros([1, 1, SIZE, SIZE], (Kind::Float, self.coords.device()));
        let input = Tensor::cat(&[&image, &self.coords], 1);
        let map = self.convs.iter().fold(input, |x, conv| conv.forward(&x));
        map.reshape([2, -1])
    }

    /// What one pixel adds around itself.
    ///
    /// # Shapes
    /// `[2, 25]`
    fn patch(&self) -> Tensor {
        let one_hot = self.one_hot.shallow_clone();
        let map = self
            .convs
            .iter()
            .fold(one_hot, |x, conv| conv.partial(&x, 0));
        map.reshape([2, N_PATCH])
    }

    /// The pixels of the patch of each location.
    ///
    /// # Shapes
    /// `i64 [B, 25]`
    fn windows(&self, locations: &[Location]) -> Tensor {
        let centres: Vec<i64> = locations
            .iter()
            .map(|location| i64::try_from(location.pixel()).expect("a pixel of the canvas"))
            .collect();
        let centres = Tensor::from_slice(&centres).to_device(self.coords.device());
        centres.view([-1, 1]) + &self.patch_offsets
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::not_so_clevr::examples;

    fn build(seed: u64) -> (Params, CoordRegressor) {
        let mut params = Params::new(Device::Cpu);
        let net = CoordRegressor::new(&mut params, &mut ChaCha8Rng::seed_from_u64(seed));
        (params, net)
    }

    fn one_hots(locations: &[Location]) -> Tensor {
        let options = (Kind::Float, Device::Cpu);
        let n_examples = i64::try_from(locations.len()).unwrap();
        let images = Tensor::zeros([n_examples, 1, SIZE, SIZE], options);
        for (image_idx, location) in (0..).zip(locations) {
            let row = images.get(image_idx).get(0).get(location.y.into());
            let _ = row.get(location.x.into()).fill_(1.0);
        }
        images
    }

    /// Corners, edges, and some of the rest.
    fn locations() -> Vec<Location> {
        let mut locations = [(4, 4), (59, 59), (4, 59), (59, 4), (4, 30), (31, 59)]
            .map(|(x, y)| Location { x, y })
            .to_vec();
        locations.extend(examples().into_iter().step_by(97));
        locations
    }

    #[test]
    fn there_are_906_parameters() {
        assert_eq!(build(1).0.n_elements(), 906);
    }

    #[test]
    fn a_patch_on_a_base_is_the_network_of_the_image() {
        for seed in 0..6 {
            let (params, net) = build(seed);
            for bias in params.tensors().iter_mut().filter(|t| t.dim() == 1) {
                let _ = tch::no_grad(|| bias.fill_(0.3));
            }
            let locations = locations();
            let results = [
                net.forward(&locations),
                net.forward_images(&one_hots(&locations)),
            ];
            let weights = (Tensor::arange(2, (Kind::Float, Device::Cpu)) + 1.0) * 0.1;
            let grads = results.each_ref().map(|y| {
                let loss = ((y - 0.5).square() * &weights).sum(Kind::Float);
                Tensor::run_backward(&[loss], &params.tensors(), false, false)
            });
            assert!(
                results[0].allclose(&results[1], 1e-4, 1e-5, false),
                "{seed}"
            );
            for ((name, _), (got, expected)) in params.iter().zip(grads[0].iter().zip(&grads[1])) {
                let error = (got - expected).abs().max().double_value(&[]);
                let scale = expected.abs().max().double_value(&[]);
                assert!(
                    error < 1e-4 * scale,
                    "{name}, seed {seed}: {error} of {scale}"
                );
            }
        }
    }

    /// That the case of the test above does occur, and that leaving the base's greatest pixels out matters.
    #[test]
    fn some_patches_cover_the_greatest_pixel_of_the_base() {
        let covered = (0..6).any(|seed| {
            let (_, net) = build(seed);
            let (_, greatest) = net.base().max_dim(1, true); // [2, 1]
            let windows = net.windows(&locations()).view([-1]);
            greatest.eq_tensor(&windows).any().int64_value(&[]) == 1
        });
        assert!(covered);
    }
}
