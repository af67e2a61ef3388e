//! A transposed convolution of stride 2 with `TensorFlow`'s "SAME" padding (`Conv2DTranspose`): `2n` rows come out of `n`.
//! The full result, `2n + k - 2` rows, loses `(k - 2) / 2` rows, rounded down, at the start and the rest at the end.
//!
//! # How it is computed
//! libtorch crops an odd number of rows with the greater part at the start, the wrong way round. But what it computes is right
//! for an image turned by half a circle, with the kernel turned too. [`SameDeconv2d::turned`] works on turned images, so that
//! a stack of layers turns its first image and its last one only. (Cropping the full result instead takes twice the time in
//! `DeconvPainter`, for what is cropped is then copied.)
//!
//! With the kernel 2 the blocks of 2x2 pixels that come from two input pixels do not overlap, and all of them together are one
//! matrix product, [`SameDeconv2d::blocks`].

use rand::Rng;
use rlrun_nn::init::he_normal;
use rlrun_nn::{Params, memory_order};
use tch::{Device, Kind, Tensor};

/// The kernel whose blocks do not overlap.
const BLOCK: i64 = 2;

/// A transposed convolution of stride 2, with bias.
#[derive(Debug)]
pub struct SameDeconv2d {
    weight: Tensor, // [in, out, k, k]; in memory [k, k, out, in] for blocks, else channels-last
    bias: Tensor,   // [out]
    kernel: i64,
}

impl SameDeconv2d {
    /// A layer `name.weight`, he-normal, and `name.bias`, zero. `channels` is (in, out). The fan-in is `out * k * k`: Keras
    /// reads it from the shape of the weight as if the convolution were an ordinary one.
    ///
    /// # Panics
    /// If the kernel is not 2, 3, 4 or 5.
    pub fn new(
        params: &mut Params,
        name: &str,
        channels: (i64, i64),
        kernel: i64,
        rng: &mut impl Rng,
    ) -> Self {
        assert!(
            (2..=5).contains(&kernel),
            "a transposed convolution's kernel must be 2 to 5, got {kernel}"
        );
        let (n_in, n_out) = channels;
        let shape = [n_in, n_out, kernel, kernel];
        let weight = he_normal(&shape, n_out * kernel * kernel, rng);
        let weight = if kernel == BLOCK {
            weight
                .permute([2, 3, 1, 0])
                .contiguous()
                .permute([3, 2, 0, 1])
        } else {
            memory_order(&weight, params.device())
        };
        let bias = Tensor::zeros([n_out], (Kind::Float, Device::Cpu));
        Self {
            weight: params.add(format!("{name}.weight"), weight),
            bias: params.add(format!("{name}.bias"), bias),
            kernel,
        }
    }

    /// # Shapes
    /// `[B, in, H, W] -> [B, out, 2H, 2W]`
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.turned(&x.flip([2, 3])).flip([2, 3])
    }

    /// The layer for images turned by half a circle: `turned(turn(x)) = turn(forward(x))`.
    ///
    /// # Shapes
    /// `[B, in, H, W] -> [B, out, 2H, 2W]`; the result's memory is channels-last if the input's is.
    pub fn turned(&self, x: &Tensor) -> Tensor {
        x.conv_transpose2d(
            &self.weight.flip([2, 3]),
            Some(&self.bias),
            [2, 2],
            [(self.kernel - 1) / 2; 2], // rows cropped at the start
            [self.kernel % 2; 2],       // and so many fewer at the end
            1,
            [1, 1],
        )
    }

    /// With the kernel 2, the 2x2 pixels that each input pixel gives, not yet in their places: the upper left, upper right,
    /// lower left and lower right one, all channels of each.
    ///
    /// # Shapes
    /// `[B, in, H, W] -> [B, 4 * out, H, W]`; the result's memory is channels-last if the input's is.
    ///
    /// # Panics
    /// If the kernel is another.
    pub fn blocks(&self, x: &Tensor) -> Tensor {
        assert_eq!(self.kernel, BLOCK, "the blocks of other kernels overlap");
        let n_in = self.weight.size()[0];
        let weight = self.weight.permute([2, 3, 1, 0]).reshape([-1, n_in, 1, 1]); // [4 * out, in, 1, 1]
        let bias = self.bias.repeat([BLOCK * BLOCK]);
        x.conv2d(&weight, Some(&bias), [1, 1], [0, 0], [1, 1], 1)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn layer(kernel: i64, channels: (i64, i64)) -> (Params, SameDeconv2d) {
        let mut params = Params::new(Device::Cpu);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let deconv = SameDeconv2d::new(&mut params, "deconv1", channels, kernel, &mut rng);
        let bias = params.tensors().remove(1);
        let _ = tch::no_grad(|| bias.shallow_clone().fill_(0.25));
        (params, deconv)
    }

    /// The definition: libtorch's transposed convolution, cropped.
    fn cropped(layer: &SameDeconv2d, x: &Tensor) -> Tensor {
        let (_, _, height, width) = x.size4().unwrap();
        let crop = (layer.kernel - 2) / 2;
        let full = x.conv_transpose2d(
            &layer.weight,
            Some(&layer.bias),
            [2, 2],
            [0, 0],
            [0, 0],
            1,
            [1, 1],
        );
        full.narrow(2, crop, 2 * height).narrow(3, crop, 2 * width)
    }

    #[test]
    fn turning_and_cropping_agree_in_value_and_gradient() {
        for kernel in 2..=5 {
            for (height, width) in [(1, 1), (1, 3), (4, 5)] {
                let (params, layer) = layer(kernel, (3, 5));
                let x = (Tensor::arange(2 * 3 * height * width, (Kind::Float, Device::Cpu)) * 0.7)
                    .sin()
                    .view([2, 3, height, width])
                    .set_requires_grad(true);
                let results = [layer.forward(&x), cropped(&layer, &x)];
                let grads = results.each_ref().map(|y| {
                    let loss = (y * y.cos()).sum(Kind::Float);
                    let mut wrt = params.tensors();
                    wrt.push(x.shallow_clone());
                    Tensor::run_backward(&[loss], &wrt, false, false)
                });
                let what = format!("kernel {kernel}, {height}x{width}");
                assert_eq!(results[0].size(), [2, 5, 2 * height, 2 * width], "{what}");
                assert!(
                    results[0].allclose(&results[1], 1e-5, 1e-5, false),
                    "{what}"
                );
                for (got, expected) in grads[0].iter().zip(&grads[1]) {
                    assert!(got.allclose(expected, 1e-4, 1e-4, false), "{what}");
                }
            }
        }
    }

    #[test]
    fn blocks_put_into_place_are_the_transposed_convolution() {
        let (_, layer) = layer(2, (3, 5));
        let x = (Tensor::arange(2 * 3 * 4 * 6, (Kind::Float, Device::Cpu)) * 0.7).sin();
        let x = x.view([2, 3, 4, 6]);
        let blocks = layer.blocks(&x).view([2, 2, 2, 5, 4, 6]); // [B, row, column, out, H, W]
        let placed = blocks.permute([0, 3, 4, 1, 5, 2]).reshape([2, 5, 8, 12]);
        assert!(placed.allclose(&layer.forward(&x), 1e-5, 1e-5, false));
    }

    #[test]
    fn the_fan_in_counts_the_output_channels() {
        let (params, _) = layer(4, (500, 2));
        let std = params.tensors()[0].std(true).double_value(&[]);
        assert!((std - (2.0_f64 / 32.0).sqrt()).abs() < 0.005, "{std}");
    }

    #[test]
    #[should_panic(expected = "must be 2 to 5, got 6")]
    fn other_kernels_are_refused() {
        let _ = layer(6, (1, 1));
    }
}
