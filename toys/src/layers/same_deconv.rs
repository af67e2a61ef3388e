//! A transposed convolution of stride 2 with `TensorFlow`'s "SAME" padding (`Conv2DTranspose`): `2n` rows come out of `n`.
//! The full result, `2n + k - 2` rows, loses `(k - 2) / 2` rows, rounded down, at the start and the rest at the end.
//!
//! # How it is computed
//! Each input pixel stands for a block of 2x2 output pixels. A block depends on few input pixels, `taps` in each direction
//! (1, 2, 3, 3 for the kernels 2 to 5), always the same way: the four pixels of the blocks are the channels of an ordinary
//! convolution. In one direction, for the kernel 3 and its taps `w0 w1 w2`:
//!
//! ```text
//! input       x[i-1]      x[i]               even pixel: w2 x[i-1] + w0 x[i]
//! block i     [2i, 2i+1]                     odd pixel:   0 x[i-1] + w1 x[i]
//! ```
//!
//! The zeros cost work (16/9 of the products for the kernel 3, 9/4 for 4), but libtorch's convolution is so much faster than
//! its transposed one that they pay; see [`DeconvPainter`](crate::nets::DeconvPainter) for the numbers.

use rand::Rng;
use rlrun_nn::Params;
use rlrun_nn::init::he_normal;
use tch::{Device, Kind, Tensor};

/// A transposed convolution of stride 2, with bias.
#[derive(Debug)]
pub struct SameDeconv2d {
    weight: Tensor, // [in, out, k, k], in memory [k, k, out, in]
    bias: Tensor,   // [out]
    in_channels: i64,
    out_channels: i64,
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
        let (in_channels, out_channels) = channels;
        let shape = [kernel, kernel, out_channels, in_channels];
        let weight = he_normal(&shape, out_channels * kernel * kernel, rng);
        let bias = Tensor::zeros([out_channels], (Kind::Float, Device::Cpu));
        Self {
            weight: params.add(format!("{name}.weight"), weight.permute([3, 2, 0, 1])),
            bias: params.add(format!("{name}.bias"), bias),
            in_channels,
            out_channels,
            kernel,
        }
    }

    /// # Shapes
    /// `[B, in, H, W] -> [B, out, 2H, 2W]`, channels-last.
    ///
    /// # Panics
    /// If `x` has another shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let (_, _, height, width) = x.size4().expect("a convolution's input has four axes");
        let n_out = self.out_channels;
        self.blocks(x)
            .permute([0, 2, 3, 1])
            .reshape([-1, height, width, 2, 2, n_out])
            .permute([0, 1, 3, 2, 4, 5]) // [B, H, 2, W, 2, out]
            .reshape([-1, 2 * height, 2 * width, n_out])
            .permute([0, 3, 1, 2])
    }

    /// The blocks of 2x2 pixels, not yet in their places: for each input pixel the upper left, upper right, lower left and
    /// lower right pixel, all channels of each.
    ///
    /// # Shapes
    /// `[B, in, H, W] -> [B, 4 * out, H, W]`, channels-last if `x` is.
    pub fn blocks(&self, x: &Tensor) -> Tensor {
        let bias = self.bias.repeat([4]);
        let weight = self.block_weight();
        let conv = |x: &Tensor, padding: i64| {
            x.conv2d(&weight, Some(&bias), [1, 1], [padding; 2], [1, 1], 1)
        };
        match self.kernel {
            2 => conv(x, 0),
            3 => conv(&x.constant_pad_nd([1, 0, 1, 0]), 0),
            _ => conv(x, 1),
        }
    }

    /// The weight of the convolution that gives the blocks: each direction's taps in pairs, one for the even and one for the
    /// odd pixel, the last pair first.
    ///
    /// # Shapes
    /// `[4 * out, in, taps, taps]`, channels-last.
    fn block_weight(&self) -> Tensor {
        let weight = self.weight.permute([2, 3, 1, 0]); // [k, k, out, in], as it lies
        let taps = self.n_taps();
        let before = self.crop();
        let after = 2 * taps - self.kernel - before;
        let paired = if (before, after) == (0, 0) {
            weight
        } else {
            weight.constant_pad_nd([0, 0, 0, 0, before, after, before, after])
        };
        let (n_in, n_out) = (self.in_channels, self.out_channels);
        paired
            .view([taps, 2, taps, 2, n_out, n_in])
            .flip([0, 2])
            .permute([1, 3, 4, 0, 2, 5]) // [2, 2, out, taps, taps, in]
            .reshape([4 * n_out, taps, taps, n_in])
            .permute([0, 3, 1, 2])
    }

    /// Input pixels, in each direction, that a block depends on.
    const fn n_taps(&self) -> i64 {
        match self.kernel {
            2 => 1,
            3 => 2,
            _ => 3,
        }
    }

    /// The rows that the full result loses at the start, and the zeros before the first pair of taps.
    const fn crop(&self) -> i64 {
        (self.kernel - 2) / 2
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
        let full = x.conv_transpose2d(
            &layer.weight,
            Some(&layer.bias),
            [2, 2],
            [0, 0],
            [0, 0],
            1,
            [1, 1],
        );
        full.narrow(2, layer.crop(), 2 * height)
            .narrow(3, layer.crop(), 2 * width)
    }

    #[test]
    fn blocks_and_the_transposed_convolution_agree_in_value_and_gradient() {
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
