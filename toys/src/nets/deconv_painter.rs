//! The network without coordinates for coordinate classification and for rendering (Liu et al. 2018, sections 4 and 5;
//! `deconv_classification` in the released code): six transposed convolutions from one pixel to 64x64.
//!
//! ```text
//! (x, y) [B, 2, 1, 1]
//!   deconv1..3  64m channels, BN, ReLU    2x2, 4x4, 8x8
//!   deconv4..5  32m channels, BN, ReLU    16x16, 32x32
//!   deconv6      1  channel               64x64
//! logits [B, 4096]
//! ```
//!
//! # How it is computed
//! With the kernel 2 blocks do not overlap, so every layer works on each pixel by itself, and in which order the pixels lie
//! does not matter: they stay where the products leave them, the blocks of blocks of a quadtree, and are put into rows once,
//! at the end. With larger kernels every image is turned by half a circle, until the end; see [`SameDeconv2d`].
//!
//! Forward and backward on one Zen 5 core in ms, batch 32, width 1 (width 2), the fastest of 40 calls of the speed example:
//!
//! ```text
//!                                                    kernel 2      kernel 3      kernel 4
//! as here                                            6.0 (14)       11 (27)       15 (41)
//! transposed convolution, cropped, channels-last     7.9 (19)       26 (63)       15 (41)
//! the same, channels-first                            11 (25)       24 (55)       18 (48)
//! blocks as the channels of a convolution, placed    6.3 (17)       14 (41)       20
//! ```
//!
//! As here, that is 65 (105), 83 (125) and 108 (148) GFLOP/s. Batch normalisation takes a quarter of it at the most.

use rand::Rng;
use rlrun_nn::Params;
use tch::{Device, Kind, Tensor};

use crate::layers::{BatchNorm2d, Mode, SameDeconv2d};

/// Channels that come out of each layer but the last, in units of the width.
const CHANNELS: [i64; 5] = [64, 64, 64, 32, 32];
/// How many times an image doubles to reach 64x64.
const N_DOUBLINGS: usize = CHANNELS.len() + 1;

/// The network.
#[derive(Debug)]
pub struct DeconvPainter {
    hidden: Vec<(SameDeconv2d, BatchNorm2d)>,
    last: SameDeconv2d,
    pixels: Pixels,
}

/// How the pixels lie between the layers.
#[derive(Debug)]
enum Pixels {
    /// Row by row, the last one first: images are turned by half a circle.
    Turned,
    /// Each block's four one after the other, and so on for blocks of blocks. Holds where the pixels lie, taken row by row,
    /// i64 `[1, 4096]`.
    InBlocks(Tensor),
}

impl DeconvPainter {
    /// Parameters `deconv1.weight`, `deconv1.bias`, `bn1.gamma`, `bn1.beta` ... `deconv6.bias`. `width` multiplies the
    /// channels (the paper's sweep has 1, 2, 3), `filter` is the kernel of every layer (2, 3, 4).
    ///
    /// # Panics
    /// If the kernel is not 2, 3, 4 or 5.
    pub fn new(params: &mut Params, width: i64, filter: i64, rng: &mut impl Rng) -> Self {
        let mut n_in = 2;
        let mut hidden = Vec::with_capacity(CHANNELS.len());
        for (layer, channels) in (1..).zip(CHANNELS) {
            let n_out = channels * width;
            let name = format!("deconv{layer}");
            let deconv = SameDeconv2d::new(params, &name, (n_in, n_out), filter, rng);
            hidden.push((
                deconv,
                BatchNorm2d::new(params, &format!("bn{layer}"), n_out),
            ));
            n_in = n_out;
        }
        let pixels = if filter == 2 {
            Pixels::InBlocks(quadtree_order().to_device(params.device()))
        } else {
            Pixels::Turned
        };
        Self {
            hidden,
            last: SameDeconv2d::new(params, "deconv6", (n_in, 1), filter, rng),
            pixels,
        }
    }

    /// `xy` is the location, column then row, in pixels: 4 to 59, not scaled.
    ///
    /// # Shapes
    /// `f32 [B, 2] -> [B, 4096]`, a logit per pixel, row by row.
    pub fn forward(&self, xy: &Tensor, mode: Mode) -> Tensor {
        let n_examples = xy.size()[0];
        let mut x = xy.view([n_examples, 2, 1, 1]);
        for (deconv, norm) in &self.hidden {
            let y = self.double(deconv, &x);
            x = norm.forward(&y, mode).relu_(); // [B, C, 2H, 2W]
        }
        let lying = self.double(&self.last, &x).reshape([n_examples, -1]); // [B, 4096]
        match &self.pixels {
            Pixels::Turned => lying.flip([1]),
            Pixels::InBlocks(order) => {
                lying.gather(1, &order.expand([n_examples, -1], false), false)
            }
        }
    }

    /// # Shapes
    /// `[B, C, H, W] -> [B, C', 2H, 2W]`, with the pixels as they lie.
    fn double(&self, deconv: &SameDeconv2d, x: &Tensor) -> Tensor {
        match self.pixels {
            Pixels::Turned => deconv.turned(x),
            Pixels::InBlocks(_) => block_by_block(&deconv.blocks(x)),
        }
    }

    /// The running statistics of `bn1` to `bn5`; see [`BatchNorm2d::buffers`].
    pub fn buffers(&self) -> Vec<(String, Tensor)> {
        let norms = self.hidden.iter();
        norms.flat_map(|(_, norm)| norm.buffers()).collect()
    }
}

/// The pixels of the blocks as an image of twice the size, each block's four in a row.
///
/// # Shapes
/// `[B, 4C, H, W] -> [B, C, 2H, 2W]`, channels-last, no copy if `blocks` is.
fn block_by_block(blocks: &Tensor) -> Tensor {
    let size = blocks.size();
    let shape = [size[0], 2 * size[2], 2 * size[3], size[1] / 4];
    let rows = blocks.permute([0, 2, 3, 1]).reshape(shape);
    rows.permute([0, 3, 1, 2])
}

/// Where each pixel, taken row by row, lies in a quadtree: the bits of its row and its column alternate, the row's first.
///
/// # Shapes
/// `i64 [1, 4096]`
fn quadtree_order() -> Tensor {
    let bits = [2_i64; 2 * N_DOUBLINGS];
    let bit_idxs = (0_i64..).take(bits.len());
    let (rows, columns): (Vec<i64>, Vec<i64>) = bit_idxs.partition(|bit_idx| bit_idx % 2 == 0);
    Tensor::arange(bits.iter().product::<i64>(), (Kind::Int64, Device::Cpu))
        .view(bits.as_slice())
        .permute([rows, columns].concat())
        .reshape([1, -1])
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn build(width: i64, filter: i64) -> (Params, DeconvPainter) {
        let mut params = Params::new(Device::Cpu);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let net = DeconvPainter::new(&mut params, width, filter, &mut rng);
        (params, net)
    }

    #[test]
    fn parameters_are_counted_as_published() {
        let published = [
            [46_465, 183_041, 409_729],
            [103_585, 409_921, 919_009],
            [183_553, 727_553, 1_632_001],
        ];
        for (filter, row) in (2..).zip(published) {
            for (width, expected) in (1..).zip(row) {
                let n_params = build(width, filter).0.n_elements();
                assert_eq!(n_params, expected, "filter {filter}, width {width}");
            }
        }
    }

    /// Slow reference: every layer puts its pixels into place.
    #[test]
    fn how_the_pixels_lie_between_the_layers_changes_rounding_only() {
        for filter in 2..=5 {
            let (_, net) = build(1, filter);
            let xy = Tensor::from_slice(&[4.0_f32, 59.0, 30.0, 31.0]).view([2, 2]);
            let mut x = xy.view([2, 2, 1, 1]);
            for (deconv, norm) in &net.hidden {
                x = norm.forward(&deconv.forward(&x), Mode::Train).relu();
            }
            let expected = net.last.forward(&x).reshape([2, -1]);
            let got = net.forward(&xy, Mode::Train);
            assert!(
                got.allclose(&expected, 1e-4, 1e-4, false),
                "filter {filter}"
            );
        }
    }

    #[test]
    fn training_moves_the_running_statistics_that_evaluation_reads() {
        let (_, net) = build(1, 3);
        let xy = Tensor::from_slice(&[4.0_f32, 59.0, 30.0, 31.0]).view([2, 2]);
        let before = net.forward(&xy, Mode::Eval);
        assert_eq!(net.forward(&xy, Mode::Eval), before);
        let _ = net.forward(&xy, Mode::Train);
        assert_ne!(net.forward(&xy, Mode::Eval), before);
        let names: Vec<String> = net.buffers().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), 10);
        assert_eq!(
            (&*names[0], &*names[9]),
            ("bn1.running_mean", "bn5.running_var")
        );
    }
}
