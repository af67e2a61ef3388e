//! The convolutional network that regresses a square's location on the uniform split (Liu et al. 2018, section 5;
//! `conv_uniform` in the released code), with max pooling and fully connected layers.
//!
//! ```text
//! image [B, 1, 64, 64]
//!   conv1..3  3x3, 16m channels, ReLU, 2x2 max pooling each    32x32, 16x16, 8x8
//!   conv4     3x3, 16m channels, ReLU                          8x8
//!   dense1    64, ReLU
//!   dense2    2
//! ```

use rand::Rng;
use rlrun_nn::{Params, memory_order};
use tch::Tensor;

use crate::layers::{Dense, SameConv2d, SameConvSpec};

/// Channels of every convolution, in units of the width.
const CHANNELS: i64 = 16;
/// Rows, and columns, that three poolings leave of 64.
const POOLED_SIZE: i64 = 8;
/// Features of the first fully connected layer.
const N_FEATURES: i64 = 64;

/// The network.
#[derive(Debug)]
pub struct PooledRegressor {
    pooled: Vec<SameConv2d>,
    last_conv: SameConv2d,
    dense1: Dense,
    dense2: Dense,
}

impl PooledRegressor {
    /// Parameters `conv1.weight`, `conv1.bias` ... `dense2.bias`. `width` multiplies the channels. The columns of
    /// `dense1.weight` are in the order row, column, channel, as in the released code.
    pub fn new(params: &mut Params, width: i64, rng: &mut impl Rng) -> Self {
        let n_channels = CHANNELS * width;
        let mut n_in = 1;
        let mut conv = |layer: i64| {
            let spec = SameConvSpec::new(n_in, n_channels, 3);
            n_in = n_channels;
            SameConv2d::new(params, &format!("conv{layer}"), spec, rng)
        };
        let pooled = (1..=3).map(&mut conv).collect();
        let last_conv = conv(4);
        let n_flat = n_channels * POOLED_SIZE * POOLED_SIZE;
        Self {
            pooled,
            last_conv,
            dense1: Dense::new(params, "dense1", (n_flat, N_FEATURES), rng),
            dense2: Dense::new(params, "dense2", (N_FEATURES, 2), rng),
        }
    }

    /// # Shapes
    /// `[B, 1, 64, 64] -> [B, 2]`, column and row of the square's centre, in 64ths of the canvas.
    pub fn forward(&self, images: &Tensor) -> Tensor {
        let mut x = memory_order(images, images.device());
        for conv in &self.pooled {
            x = conv
                .forward(&x)
                .relu_()
                .max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false);
        }
        let x = self.last_conv.forward(&x).relu_(); // [B, 16m, 8, 8]
        let x = x.permute([0, 2, 3, 1]).flatten(1, -1); // [B, 8*8*16m]
        self.dense2.forward(&self.dense1.forward(&x).relu_())
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
        for (width, expected) in [(1, 72_850), (2, 159_330)] {
            let mut params = Params::new(Device::Cpu);
            let _ = PooledRegressor::new(&mut params, width, &mut ChaCha8Rng::seed_from_u64(1));
            assert_eq!(params.n_elements(), expected);
        }
    }
}
