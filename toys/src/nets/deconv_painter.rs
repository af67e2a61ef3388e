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
//! # Layout
//! With the kernel 2 blocks do not overlap, so every layer works on each pixel by itself, and in which order the pixels lie
//! does not matter: they stay where the products leave them, the blocks of blocks of a quadtree, and are put into rows once,
//! at the end. With larger kernels each layer but the last puts its blocks into place.

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
    blocks: Blocks,
    order: Tensor, // i64 [1, 4096]: where each pixel lies before it is put into place
}

/// Whether blocks are put into place by each layer, or all at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blocks {
    Placed,
    Left,
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
        let blocks = if filter == 2 {
            Blocks::Left
        } else {
            Blocks::Placed
        };
        Self {
            hidden,
            last: SameDeconv2d::new(params, "deconv6", (n_in, 1), filter, rng),
            blocks,
            order: pixel_order(blocks).to_device(params.device()),
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
            let y = match self.blocks {
                Blocks::Placed => deconv.forward(&x),
                Blocks::Left => left_in_blocks(&deconv.blocks(&x)),
            };
            x = norm.forward(&y, mode).relu_(); // [B, C, 2H, 2W]
        }
        self.last
            .blocks(&x) // [B, 4, 32, 32]
            .permute([0, 2, 3, 1])
            .reshape([n_examples, -1])
            .gather(1, &self.order.expand([n_examples, -1], false), false)
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
/// `[B, 4C, H, W] -> [B, C, 2H, 2W]`, channels-last, no copy.
fn left_in_blocks(blocks: &Tensor) -> Tensor {
    let size = blocks.size();
    let shape = [size[0], 2 * size[2], 2 * size[3], size[1] / 4];
    let rows = blocks.permute([0, 2, 3, 1]).reshape(shape);
    rows.permute([0, 3, 1, 2])
}

/// Where each pixel, taken row by row, lies in the last layer's result.
fn pixel_order(blocks: Blocks) -> Tensor {
    let lying = Tensor::arange(4096, (Kind::Int64, Device::Cpu));
    let order = match blocks {
        Blocks::Placed => lying.view([32, 32, 2, 2]).permute([0, 2, 1, 3]),
        Blocks::Left => {
            let axes = i64::try_from(2 * N_DOUBLINGS).expect("twelve axes");
            let rows_then_columns: Vec<i64> =
                (0..axes).step_by(2).chain((1..axes).step_by(2)).collect();
            lying
                .view([2_i64; 2 * N_DOUBLINGS].as_slice())
                .permute(rows_then_columns)
        }
    };
    order.reshape([1, -1])
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

    /// Slow reference: every layer puts its blocks into place.
    #[test]
    fn leaving_the_blocks_changes_rounding_only() {
        let (_, net) = build(1, 2);
        let xy = Tensor::from_slice(&[4.0_f32, 59.0, 30.0, 31.0]).view([2, 2]);
        let mut x = xy.view([2, 2, 1, 1]);
        for (deconv, norm) in &net.hidden {
            x = norm.forward(&deconv.forward(&x), Mode::Train).relu();
        }
        let expected = net.last.forward(&x).reshape([2, -1]);
        let got = net.forward(&xy, Mode::Train);
        assert!(got.allclose(&expected, 1e-4, 1e-4, false));
    }

    #[test]
    fn gradients_lie_as_their_parameters() {
        for filter in 2..=4 {
            let (params, net) = build(1, filter);
            let xy = Tensor::from_slice(&[4.0_f32, 59.0, 30.0, 31.0]).view([2, 2]);
            let loss = net.forward(&xy, Mode::Train).square().sum(Kind::Float);
            let grads = Tensor::run_backward(&[loss], &params.tensors(), false, false);
            for ((name, param), grad) in params.iter().zip(&grads) {
                assert_eq!(grad.stride(), param.stride(), "{name}, filter {filter}");
            }
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
