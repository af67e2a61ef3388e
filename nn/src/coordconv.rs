//! `CoordConv` (Liu et al. 2018, section 3): a convolution that also sees where it is, `conv(concat(x, c), w)` with the
//! coordinate channels `c` of [`coord_channels`].
//!
//! A convolution is linear in its input channels and `c` is the same for every image, so
//!
//! ```text
//! conv(concat(x, c), w) + b  =  conv(x, w_x)  +  (conv(c, w_c) + b)
//!      [B, in+d, H, W]          [B, in, H, W]     [1, out, H', W'], once for the whole batch
//! ```
//!
//! The image is never copied to append channels, and the cost of the coordinates does not grow with the batch. Value and
//! gradient agree with the concatenated form to rounding.
//!
//! The second term is a matrix product: the windows of `c` that the kernel sees, one row of `k*k*d` numbers per output
//! pixel, never change, so they are laid out once per image size and device. Their product with `w_c` comes out with the
//! channel last in memory, which is the layout of the first term on the CPU.

use std::cell::RefCell;

use rand::Rng;
use tch::{Device, Kind, Tensor};

use crate::conv::{convolve, memory_order};
use crate::init::{Init, RELU_GAIN};
use crate::{Conv2d, ConvSpec, Flops, Params, coord_channels};

/// A convolution of an image and its coordinate channels, with bias. Height and width are taken from the input.
///
/// The weight is one tensor `[out, in + d, k, k]`, coordinates last, as in the released code: published weights load as
/// they are. Two tensors would save the gradient's scatter into the two parts; for the torso's first layer, 12,288 numbers
/// per update, that is too little to measure.
#[derive(Debug)]
pub struct CoordConv2d {
    pub(crate) weight: Tensor, // [out, in + d, k, k]
    pub(crate) bias: Tensor,   // [out]
    pub(crate) spec: ConvSpec,
    radius: bool,
    windows: RefCell<Vec<Windows>>,
}

/// The windows of the coordinate channels that the kernel sees, for one image size and device.
#[derive(Debug)]
struct Windows {
    height: i64,
    width: i64,
    device: Device,
    tensor: Tensor, // [H'*W', k*k*d]
}

impl CoordConv2d {
    /// A layer `name.weight` and `name.bias`, drawn by `init` over all `in + d` channels with the gain of a `ReLU` layer.
    /// `spec` counts the channels of the image only.
    pub fn new(
        params: &mut Params,
        name: &str,
        spec: ConvSpec,
        radius: bool,
        init: Init,
        rng: &mut impl Rng,
    ) -> Self {
        let n_channels = spec.in_channels + n_coords(radius);
        let shape = [spec.out_channels, n_channels, spec.kernel, spec.kernel];
        let (weight, bias) = init.draw(&shape, RELU_GAIN, rng);
        Self::from_tensors(params, name, (&weight, &bias), spec, radius)
    }

    /// A layer that starts as `conv`: its weights, and zero for the coordinates. It computes the same until it learns
    /// otherwise.
    pub fn from_conv(params: &mut Params, name: &str, conv: &Conv2d, radius: bool) -> Self {
        let spec = conv.spec;
        let shape = [
            spec.out_channels,
            n_coords(radius),
            spec.kernel,
            spec.kernel,
        ];
        let zeros = Tensor::zeros(shape, (Kind::Float, conv.weight.device()));
        let weight = Tensor::cat(&[&conv.weight, &zeros], 1);
        Self::from_tensors(params, name, (&weight, &conv.bias), spec, radius)
    }

    fn from_tensors(
        params: &mut Params,
        name: &str,
        (weight, bias): (&Tensor, &Tensor),
        spec: ConvSpec,
        radius: bool,
    ) -> Self {
        Self {
            weight: params.add_hidden(
                format!("{name}.weight"),
                memory_order(weight, params.device()),
            ),
            bias: params.add_hidden(format!("{name}.bias"), bias),
            spec,
            radius,
            windows: RefCell::new(Vec::new()),
        }
    }

    /// A second handle of the same layer, for another thread: it sees every change of the parameters.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            weight: self.weight.shallow_clone(),
            bias: self.bias.shallow_clone(),
            spec: self.spec,
            radius: self.radius,
            windows: RefCell::new(Vec::new()),
        }
    }

    /// Its operations on images of this size: the convolution of each, and once for all of them that of the coordinates.
    pub(crate) fn flops(&self, height: i64, width: i64) -> Flops {
        let coords = ConvSpec {
            in_channels: n_coords(self.radius),
            ..self.spec
        };
        let coords = coords.flops(height, width).without_input_gradient();
        self.spec.flops(height, width) + coords.once_a_batch()
    }

    /// # Shapes
    /// `[B, in, H, W] -> [B, out, H', W']`; the result's memory is channels-last if the input's is.
    ///
    /// # Panics
    /// If `x` has another shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let (n_images, _, height, width) = x.size4().expect("a convolution's input has four axes");
        let n_in = self.spec.in_channels;
        let image_weight = self.weight_hwc().narrow(3, 0, n_in).permute([0, 3, 1, 2]); // [out, in, k, k]
        let mut y = convolve(x, &image_weight, None, &self.spec); // [B, out, H', W']
        y.g_add_(&self.coord_map(n_images, height, width))
    }

    /// What the coordinates and the bias add to every image of this size: one map, repeated without a copy. It is repeated
    /// as a row of numbers, because its gradient is then a sum over the rows of a matrix; libtorch takes ten times as long
    /// for the same sum over images.
    ///
    /// # Shapes
    /// `[B, out, H', W']`, channels-last
    fn coord_map(&self, n_images: i64, height: i64, width: i64) -> Tensor {
        let map = self.coord_rows(height, width); // [H'*W', out]
        let (out_h, out_w) = (self.spec.out_size(height), self.spec.out_size(width));
        map.view([1, -1])
            .expand([n_images, -1], false)
            .view([n_images, out_h, out_w, self.spec.out_channels])
            .permute([0, 3, 1, 2])
    }

    /// What coordinates and bias add to each pixel that comes out. It is computed in f32 and rounded at the end: neighbouring
    /// coordinates differ by a hundredth.
    ///
    /// # Shapes
    /// `[H'*W', out]`
    pub(crate) fn coord_rows(&self, height: i64, width: i64) -> Tensor {
        let (n_in, n_out) = (self.spec.in_channels, self.spec.out_channels);
        let coord_weight = self
            .weight_hwc()
            .narrow(3, n_in, n_coords(self.radius))
            .reshape([n_out, -1])
            .to_kind(Kind::Float); // [out, k*k*d]
        let bias = self.bias.to_kind(Kind::Float); // [out]
        let windows = self.windows(height, width); // [H'*W', k*k*d]
        let map = windows.linear(&coord_weight, Some(&bias)); // [H'*W', out]
        map.to_kind(self.weight.kind())
    }

    /// The weight seen as `[out, k, k, in + d]`, which is how it lies in memory on the CPU. A part taken from this view has a
    /// gradient in the same order, which the optimizer's one pass needs.
    fn weight_hwc(&self) -> Tensor {
        self.weight.permute([0, 2, 3, 1])
    }

    /// The coordinates' windows for an image size, from the cache if that size was seen before.
    fn windows(&self, height: i64, width: i64) -> Tensor {
        let device = self.weight.device();
        let mut cache = self.windows.borrow_mut();
        if let Some(hit) = cache
            .iter()
            .find(|w| (w.height, w.width, w.device) == (height, width, device))
        {
            return hit.tensor.shallow_clone();
        }
        let tensor = self.unfold_coords(height, width, device);
        cache.push(Windows {
            height,
            width,
            device,
            tensor: tensor.shallow_clone(),
        });
        tensor
    }

    fn unfold_coords(&self, height: i64, width: i64, device: Device) -> Tensor {
        let ConvSpec {
            kernel,
            stride,
            padding,
            ..
        } = self.spec;
        coord_channels(height, width, self.radius, (Kind::Float, device))
            .im2col([kernel; 2], [1, 1], [padding; 2], [stride; 2]) // [1, d*k*k, H'*W']
            .view([n_coords(self.radius), kernel * kernel, -1]) // [d, k*k, H'*W']
            .permute([2, 1, 0]) // [H'*W', k*k, d]
            .flatten(1, -1)
            .contiguous()
    }
}

/// How many coordinate channels there are.
fn n_coords(radius: bool) -> i64 {
    if radius { 3 } else { 2 }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

    /// A smooth image without symmetries, as `[B, C, H, W]`.
    fn image(n_images: i64, spec: &ConvSpec, height: i64, width: i64) -> Tensor {
        let shape = [n_images, spec.in_channels, height, width];
        let n: i64 = shape.iter().product();
        (Tensor::arange(n, CPU) * 0.37).sin().view(shape)
    }

    /// The definition: append the coordinates, then convolve.
    fn concatenated(layer: &CoordConv2d, x: &Tensor) -> Tensor {
        let (n_images, _, height, width) = x.size4().unwrap();
        let coords = coord_channels(height, width, layer.radius, CPU);
        let coords = coords.expand([n_images, -1, -1, -1], false);
        let x = Tensor::cat(&[x * layer.spec.input_scale, coords], 1);
        let (stride, padding) = ([layer.spec.stride; 2], [layer.spec.padding; 2]);
        x.conv2d(&layer.weight, Some(&layer.bias), stride, padding, [1, 1], 1)
    }

    fn assert_close(got: &Tensor, expected: &Tensor, what: &str) {
        assert_eq!(got.size(), expected.size(), "{what}");
        assert!(
            got.allclose(expected, 1e-5, 1e-5, false),
            "{what}: differs by {}",
            (got - expected).abs().max().double_value(&[])
        );
    }

    #[test]
    fn free_and_concatenated_forms_agree_in_value_and_gradient() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (height, width) in [(12, 12), (11, 17), (20, 9)] {
            for radius in [false, true] {
                for spec in [
                    ConvSpec::new(3, 5, 4).stride(2),
                    ConvSpec::new(3, 5, 3).padding(1),
                    ConvSpec::new(2, 4, 8).stride(4).input_scale(1.0 / 255.0),
                    ConvSpec::new(2, 4, 1),
                ] {
                    let mut params = Params::new(Device::Cpu);
                    let layer = CoordConv2d::new(
                        &mut params,
                        "conv",
                        spec,
                        radius,
                        Init::Orthogonal,
                        &mut rng,
                    );
                    let _ = tch::no_grad(|| layer.bias.shallow_clone().fill_(0.3));
                    let x = image(2, &spec, height, width).set_requires_grad(true);
                    let mut inputs = params.tensors();
                    inputs.push(x.shallow_clone());
                    let results = [layer.forward(&x), concatenated(&layer, &x)].map(|y| {
                        let loss = (&y * (&y * 3.0).sin()).sum(Kind::Float);
                        let grads = Tensor::run_backward(&[loss], &inputs, false, false);
                        (y, grads)
                    });
                    let [(y, grads), (expected_y, expected_grads)] = results;
                    let what = format!("{height}x{width}, radius {radius}, {spec:?}");
                    assert_close(&y, &expected_y, &what);
                    for (grad, expected) in grads.iter().zip(&expected_grads) {
                        let scale = expected.abs().max().double_value(&[]).max(1e-3);
                        assert_close(&(grad / scale), &(expected / scale), &what);
                    }
                }
            }
        }
    }

    #[test]
    fn zero_coordinate_weights_are_the_convolution_exactly() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let spec = ConvSpec::new(3, 4, 3).stride(2);
        let conv = Conv2d::new(
            &mut Params::new(Device::Cpu),
            "conv",
            spec,
            Init::Orthogonal,
            &mut rng,
        );
        for radius in [false, true] {
            let mut params = Params::new(Device::Cpu);
            let layer = CoordConv2d::from_conv(&mut params, "conv", &conv, radius);
            let x = image(3, &spec, 9, 14);
            assert_eq!(layer.forward(&x), conv.forward(&x));
        }
    }

    #[test]
    fn one_layer_serves_images_of_different_sizes() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let spec = ConvSpec::new(1, 2, 3);
        let layer = CoordConv2d::new(
            &mut Params::new(Device::Cpu),
            "conv",
            spec,
            true,
            Init::Orthogonal,
            &mut rng,
        );
        for (height, width) in [(5, 6), (6, 5), (5, 6), (3, 3)] {
            let x = image(1, &spec, height, width);
            assert_close(&layer.forward(&x), &concatenated(&layer, &x), "size");
        }
        assert_eq!(layer.windows.borrow().len(), 3, "each size is built once");
    }

    #[test]
    fn a_layer_of_the_paper_can_say_where_it_is() {
        // 1x1 kernel, all weights but xx's are zero: the layer puts out the column's coordinate.
        let mut params = Params::new(Device::Cpu);
        let weight = Tensor::from_slice(&[0.0_f32, 1.0, 0.0]).view([1, 3, 1, 1]);
        let bias = Tensor::zeros([1], CPU);
        let spec = ConvSpec::new(1, 1, 1);
        let layer = CoordConv2d::from_tensors(&mut params, "conv", (&weight, &bias), spec, false);
        let row = layer.forward(&image(1, &spec, 2, 3)).view([2, 3]).get(1);
        assert_eq!(
            Vec::<f32>::try_from(row.detach()).unwrap(),
            [-1.0, 0.0, 1.0]
        );
    }
}
