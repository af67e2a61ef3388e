//! A two-dimensional convolution with a square kernel.

use rand::Rng;
use tch::{Device, Tensor};

use crate::init::{Init, RELU_GAIN};
use crate::{Flops, Params};

/// The shape of a convolution, and the scale of its input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConvSpec {
    /// Channels of the image that goes in (coordinate channels not counted).
    pub in_channels: i64,
    /// Channels of the image that comes out.
    pub out_channels: i64,
    /// Rows and columns of the kernel, pixels.
    pub kernel: i64,
    /// Pixels between two positions of the kernel.
    pub stride: i64,
    /// Rows and columns of zeros around the image, pixels.
    pub padding: i64,
    /// What the image is multiplied by. It is applied to the weights, `conv(s x, w) = conv(x, s w)`: a pass over some
    /// thousand weights instead of one over every pixel, equal to rounding.
    pub input_scale: f64,
}

impl ConvSpec {
    /// A convolution of stride 1, no padding and scale 1.
    pub const fn new(in_channels: i64, out_channels: i64, kernel: i64) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel,
            stride: 1,
            padding: 0,
            input_scale: 1.0,
        }
    }

    /// The same with another stride.
    #[must_use]
    pub const fn stride(self, stride: i64) -> Self {
        Self { stride, ..self }
    }

    /// The same with another padding.
    #[must_use]
    pub const fn padding(self, padding: i64) -> Self {
        Self { padding, ..self }
    }

    /// The same with another input scale.
    #[must_use]
    pub const fn input_scale(self, input_scale: f64) -> Self {
        Self {
            input_scale,
            ..self
        }
    }

    /// Rows (or columns) that come out of `size` rows (or columns). Below 1 if the kernel does not fit.
    pub const fn out_size(&self, size: i64) -> i64 {
        let room = size + 2 * self.padding - self.kernel;
        if room < 0 { 0 } else { room / self.stride + 1 }
    }

    /// Operations of the convolution of an image of this size.
    pub(crate) fn flops(&self, height: i64, width: i64) -> Flops {
        let n_positions = self.out_size(height) * self.out_size(width);
        let n_in = self.kernel * self.kernel * self.in_channels;
        Flops::layer(n_positions, n_in, self.out_channels)
    }
}

/// A convolution with bias.
#[derive(Debug)]
pub struct Conv2d {
    pub(crate) weight: Tensor, // [out, in, k, k]
    pub(crate) bias: Tensor,   // [out]
    pub(crate) spec: ConvSpec,
}

impl Conv2d {
    /// A layer `name.weight` and `name.bias`, drawn by `init` with the gain of a `ReLU` layer.
    pub fn new(
        params: &mut Params,
        name: &str,
        spec: ConvSpec,
        init: Init,
        rng: &mut impl Rng,
    ) -> Self {
        let shape = [
            spec.out_channels,
            spec.in_channels,
            spec.kernel,
            spec.kernel,
        ];
        let (weight, bias) = init.draw(&shape, RELU_GAIN, rng);
        let weight = memory_order(&weight, params.device());
        Self {
            weight: params.add_hidden(format!("{name}.weight"), &weight),
            bias: params.add_hidden(format!("{name}.bias"), &bias),
            spec,
        }
    }

    /// A second handle of the same layer, for another thread: it sees every change of the parameters.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            weight: self.weight.shallow_clone(),
            bias: self.bias.shallow_clone(),
            spec: self.spec,
        }
    }

    /// Its operations on images of this size.
    pub(crate) fn flops(&self, height: i64, width: i64) -> Flops {
        self.spec.flops(height, width)
    }

    /// # Shapes
    /// `[B, in, H, W] -> [B, out, H', W']`; the result's memory is channels-last if the input's is.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        convolve(x, &self.weight, Some(&self.bias), &self.spec)
    }
}

/// The same tensor in the memory order that convolutions on `device` are fastest with: channels-last (`[N, H, W, C]` behind
/// the shape `[N, C, H, W]`) on the CPU, where libtorch would otherwise reorder the weights at every call.
pub fn memory_order(x: &Tensor, device: Device) -> Tensor {
    if device != Device::Cpu {
        return x.contiguous();
    }
    x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

/// The convolution of `x` scaled by `spec.input_scale` with `weight`, whose input channels are those of `x`.
pub(crate) fn convolve(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    spec: &ConvSpec,
) -> Tensor {
    let (stride, padding) = ([spec.stride; 2], [spec.padding; 2]);
    if (spec.input_scale - 1.0).abs() < f64::EPSILON {
        return x.conv2d(weight, bias, stride, padding, [1, 1], 1);
    }
    let scaled = weight * spec.input_scale;
    x.conv2d(&scaled, bias, stride, padding, [1, 1], 1)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;
    use tch::Kind;

    use super::*;

    #[test]
    fn out_size_is_what_the_convolution_gives() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (kernel, stride, padding, size) in
            [(8, 4, 0, 84), (3, 1, 1, 7), (4, 2, 0, 9), (1, 1, 0, 1)]
        {
            let spec = ConvSpec::new(2, 3, kernel).stride(stride).padding(padding);
            let conv = Conv2d::new(
                &mut Params::new(Device::Cpu),
                "conv",
                spec,
                Init::Orthogonal,
                &mut rng,
            );
            let x = Tensor::zeros([1, 2, size, size + 1], (Kind::Float, Device::Cpu));
            let out = conv.forward(&x).size();
            assert_eq!(out, [1, 3, spec.out_size(size), spec.out_size(size + 1)]);
        }
        assert!(ConvSpec::new(1, 1, 8).out_size(7) < 1);
    }

    #[test]
    fn scaling_the_weights_is_scaling_the_image() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let spec = ConvSpec::new(2, 3, 3);
        let mut conv = Conv2d::new(
            &mut Params::new(Device::Cpu),
            "conv",
            spec,
            Init::Orthogonal,
            &mut rng,
        );
        let x = Tensor::arange(2 * 2 * 5 * 6, (Kind::Float, Device::Cpu)).view([2, 2, 5, 6]);
        let expected = conv.forward(&(&x / 255.0));
        conv.spec = spec.input_scale(1.0 / 255.0);
        assert!(conv.forward(&x).allclose(&expected, 1e-5, 1e-6, false));
    }
}
