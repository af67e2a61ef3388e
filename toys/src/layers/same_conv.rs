//! A convolution with `TensorFlow`'s "SAME" padding: `ceil(n / stride)` rows come out of `n`, and where the zeros around the
//! image cannot be parted evenly, the odd one is at the end.

use rand::Rng;
use rlrun_nn::init::he_normal;
use rlrun_nn::{Params, memory_order};
use tch::{Device, Kind, Tensor};

/// The shape of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SameConvSpec {
    /// Channels of the image that goes in.
    pub in_channels: i64,
    /// Channels of the image that comes out.
    pub out_channels: i64,
    /// Rows and columns of the kernel, pixels.
    pub kernel: i64,
    /// Pixels between two positions of the kernel.
    pub stride: i64,
}

impl SameConvSpec {
    /// A convolution of stride 1.
    pub const fn new(in_channels: i64, out_channels: i64, kernel: i64) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel,
            stride: 1,
        }
    }

    /// The same with another stride.
    #[must_use]
    pub const fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    /// Zeros before and after `size` rows, or columns.
    const fn padding(&self, size: i64) -> (i64, i64) {
        let n_out = (size + self.stride - 1) / self.stride;
        let total = (n_out - 1) * self.stride + self.kernel - size;
        let total = if total > 0 { total } else { 0 };
        (total / 2, total - total / 2)
    }
}

/// A convolution with bias.
#[derive(Debug)]
pub struct SameConv2d {
    weight: Tensor, // [out, in, k, k], on the CPU in channels-last memory
    bias: Tensor,   // [out]
    spec: SameConvSpec,
}

impl SameConv2d {
    /// A layer `name.weight`, he-normal, and `name.bias`, zero.
    pub fn new(params: &mut Params, name: &str, spec: SameConvSpec, rng: &mut impl Rng) -> Self {
        let shape = [
            spec.out_channels,
            spec.in_channels,
            spec.kernel,
            spec.kernel,
        ];
        let fan_in = spec.in_channels * spec.kernel * spec.kernel;
        let weight = memory_order(&he_normal(&shape, fan_in, rng), params.device());
        let bias = Tensor::zeros([spec.out_channels], (Kind::Float, Device::Cpu));
        Self {
            weight: params.add(format!("{name}.weight"), &weight),
            bias: params.add(format!("{name}.bias"), &bias),
            spec,
        }
    }

    /// # Shapes
    /// `[B, in, H, W] -> [B, out, ceil(H / stride), ceil(W / stride)]`
    ///
    /// # Panics
    /// If `x` has another shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.convolve(x, &self.weight, Some(&self.bias))
    }

    /// What the input channels from `first_channel` on give, without the bias: the layer is linear, and this is a part of its
    /// sum.
    ///
    /// # Shapes
    /// `[B, n, H, W] -> [B, out, ceil(H / stride), ceil(W / stride)]`, n the channels of `x`.
    ///
    /// # Panics
    /// If `x` has another shape.
    pub fn partial(&self, x: &Tensor, first_channel: i64) -> Tensor {
        let n_channels = x.size()[1];
        let weight = self
            .weight
            .permute([0, 2, 3, 1]) // as it lies, and as the gradient of the part then lies
            .narrow(3, first_channel, n_channels)
            .permute([0, 3, 1, 2]);
        self.convolve(x, &weight, None)
    }

    fn convolve(&self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let (_, _, height, width) = x.size4().expect("a convolution's input has four axes");
        let (top, bottom) = self.spec.padding(height);
        let (left, right) = self.spec.padding(width);
        let stride = [self.spec.stride; 2];
        if (top, left) == (bottom, right) {
            return x.conv2d(weight, bias, stride, [top, left], [1, 1], 1);
        }
        let padded = x.constant_pad_nd([left, right, top, bottom]);
        padded.conv2d(weight, bias, stride, [0, 0], [1, 1], 1)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn padding_is_tensorflows() {
        let padding =
            |kernel, stride, size| SameConvSpec::new(1, 1, kernel).stride(stride).padding(size);
        for (kernel, stride, size, expected) in [
            (1, 1, 7, (0, 0)),
            (2, 1, 7, (0, 1)),
            (3, 1, 7, (1, 1)),
            (4, 1, 7, (1, 2)),
            (1, 2, 8, (0, 0)),
            (3, 2, 64, (0, 1)),
            (5, 2, 64, (1, 2)),
            (3, 2, 7, (1, 1)),
        ] {
            let got = padding(kernel, stride, size);
            assert_eq!(got, expected, "kernel {kernel}, stride {stride}, {size}");
        }
    }

    /// Slow reference: each output pixel is the sum over the window that starts `before` pixels before it.
    #[test]
    fn an_impulse_shows_where_the_kernel_stands() {
        let spec = SameConvSpec::new(1, 1, 3).stride(2);
        let mut params = Params::new(Device::Cpu);
        let conv = SameConv2d::new(
            &mut params,
            "conv1",
            spec,
            &mut ChaCha8Rng::seed_from_u64(1),
        );
        let taps = Tensor::arange(9, (Kind::Float, Device::Cpu)).view([1, 1, 3, 3]);
        let bias = Tensor::zeros([1], (Kind::Float, Device::Cpu));
        params
            .load(&[
                ("conv1.weight".to_owned(), taps),
                ("conv1.bias".to_owned(), bias),
            ])
            .unwrap();
        let x = Tensor::zeros([1, 1, 4, 4], (Kind::Float, Device::Cpu));
        let _ = x.get(0).get(0).get(2).get(3).fill_(1.0);
        let y = Vec::<f32>::try_from(conv.forward(&x).flatten(0, -1)).unwrap();
        assert_eq!(y, [0.0, 7.0, 0.0, 1.0], "no zeros before, one row after");
    }

    #[test]
    fn parts_and_bias_add_up_to_the_whole() {
        let mut params = Params::new(Device::Cpu);
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let conv = SameConv2d::new(&mut params, "conv1", SameConvSpec::new(3, 4, 4), &mut rng);
        let x = (Tensor::arange(2 * 3 * 5 * 6, (Kind::Float, Device::Cpu)) * 0.37).sin();
        let x = x.view([2, 3, 5, 6]);
        let parts = conv.partial(&x.narrow(1, 0, 1), 0) + conv.partial(&x.narrow(1, 1, 2), 1);
        assert!(conv.forward(&x).allclose(&parts, 1e-5, 1e-5, false));
    }
}
