//! The convolutional network that regresses a square's location on the quadrant split (Liu et al. 2018, section 5;
//! `conv_quarant` in the released code): nine convolutions and the mean over what is left of the image.
//!
//! ```text
//! image [B, 1, 64, 64]
//!   conv1  5x5 stride 2, ReLU      32x32       conv6  3x3 stride 2, ReLU    4x4
//!   conv2  1x1, ReLU, BN (bn1)     32x32       conv7  1x1, ReLU             4x4
//!   conv3  3x3, ReLU               32x32       conv8  3x3 stride 2, ReLU    2x2
//!   conv4  3x3 stride 2, ReLU      16x16       conv9  3x3, ReLU             2x2
//!   conv5  3x3 stride 2,           8x8
//!          BN (bn2), ReLU                      mean over the pixels
//! ```
//!
//! 16m channels each, 2 of conv9.

use rand::Rng;
use rlrun_nn::{Params, memory_order};
use tch::{Kind, Tensor};

use crate::layers::{BatchNorm2d, Mode, SameConv2d, SameConvSpec};

/// Channels of every convolution but the last, in units of the width.
const CHANNELS: i64 = 16;
/// Kernel and stride of each convolution.
const CONVS: [(i64, i64); 9] = [
    (5, 2),
    (1, 1),
    (3, 1),
    (3, 2),
    (3, 2),
    (3, 2),
    (1, 1),
    (3, 2),
    (3, 1),
];
/// The convolution that `bn1` follows, counted from 0, after its `ReLU`.
const BEFORE_BN1: usize = 1;
/// The convolution that `bn2` follows, before its `ReLU`.
const BEFORE_BN2: usize = 4;

/// The network.
#[derive(Debug)]
pub struct FullyConvRegressor {
    convs: Vec<SameConv2d>,
    bn1: BatchNorm2d,
    bn2: BatchNorm2d,
}

impl FullyConvRegressor {
    /// Parameters `conv1.weight`, `conv1.bias` ... `conv9.bias`, then `bn1.gamma`, `bn1.beta`, `bn2.gamma`, `bn2.beta`.
    /// `width` multiplies the channels.
    pub fn new(params: &mut Params, width: i64, rng: &mut impl Rng) -> Self {
        let n_channels = CHANNELS * width;
        let mut n_in = 1;
        let convs = CONVS.iter().zip(1..);
        let convs = convs.map(|(&(kernel, stride), layer)| {
            let n_out = if layer == CONVS.len() { 2 } else { n_channels };
            let spec = SameConvSpec::new(n_in, n_out, kernel).stride(stride);
            n_in = n_out;
            SameConv2d::new(params, &format!("conv{layer}"), spec, rng)
        });
        Self {
            convs: convs.collect(),
            bn1: BatchNorm2d::new(params, "bn1", n_channels),
            bn2: BatchNorm2d::new(params, "bn2", n_channels),
        }
    }

    /// # Shapes
    /// `[B, 1, 64, 64] -> [B, 2]`, column and row of the square's centre, in 64ths of the canvas.
    pub fn forward(&self, images: &Tensor, mode: Mode) -> Tensor {
        let mut x = memory_order(images, images.device());
        for (conv_idx, conv) in self.convs.iter().enumerate() {
            let y = conv.forward(&x);
            x = match conv_idx {
                BEFORE_BN1 => self.bn1.forward(&y.relu(), mode),
                BEFORE_BN2 => self.bn2.forward(&y, mode).relu(),
                _ => y.relu(),
            };
        }
        x.mean_dim([2, 3].as_slice(), false, Kind::Float)
    }

    /// The running statistics of `bn1` and `bn2`; see [`BatchNorm2d::buffers`].
    pub fn buffers(&self) -> Vec<(String, Tensor)> {
        let norms = [&self.bn1, &self.bn2].into_iter();
        norms.flat_map(BatchNorm2d::buffers).collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use tch::Device;

    use super::*;

    #[test]
    fn parameters_are_counted_as_published() {
        let mut params = Params::new(Device::Cpu);
        let net = FullyConvRegressor::new(&mut params, 1, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(params.n_elements(), 12_914);
        assert_eq!(net.buffers().len(), 4);
    }
}
