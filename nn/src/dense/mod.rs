//! A fully connected layer and its `ReLU`, in f32 on a CPU with AVX-512: forward, and backward without libtorch's graph.
//!
//! The Nature torso's has 1.6 million weights and a few rows to multiply with them. MKL takes for that what it takes for large
//! matrices, and packs the weights anew at every call; here they are read once, where they lie (`docs/performance.md`). Values and
//! gradients are those of libtorch to rounding.

mod kernel;
#[cfg(test)]
mod tests;

use tch::{Device, Kind, Tensor};

use self::kernel::{TILE_INPUTS, TILE_OUTPUTS, forward_relu, input_gradient, weight_gradient};
use crate::slices::with_memory;
use crate::vectors::has_avx512;

/// A pass through the layer, and what its gradient needs.
#[derive(Debug)]
pub(crate) struct Pass {
    pub(crate) weight: Tensor, // [out, in]
    pub(crate) bias: Tensor,   // [out]
    pub(crate) x: Tensor,      // [R, in]
    pub(crate) y: Tensor,      // [R, out]
}

/// The gradients of a pass.
#[derive(Debug)]
pub(crate) struct Gradients {
    pub(crate) weight: Tensor, // [out, in]
    pub(crate) bias: Tensor,   // [out]
    pub(crate) x: Tensor,      // [R, in]
}

/// Whether there is a kernel for such a layer and this computer.
pub(crate) fn fits(weight: &Tensor) -> bool {
    let is_multiple = |size: i64, of: usize| usize::try_from(size).is_ok_and(|n| n % of == 0);
    let size = weight.size();
    weight.device() == Device::Cpu
        && weight.kind() == Kind::Float
        && is_multiple(size[0], TILE_OUTPUTS)
        && is_multiple(size[1], TILE_INPUTS)
        && has_avx512()
}

impl Pass {
    /// `y = relu(x weight^T + bias)` for at least one row.
    ///
    /// # Shapes
    /// `weight [out, in]`, `bias [out]`, `x [R, in]`
    pub(crate) fn new(weight: &Tensor, bias: &Tensor, x: &Tensor) -> Self {
        assert!(fits(weight), "a layer without a kernel");
        let x = x.contiguous();
        let y = Tensor::empty([x.size()[0], bias.size()[0]], (Kind::Float, Device::Cpu));
        with_memory([&y], [&x, weight, bias], |[y], [x, weight, bias]| {
            let mut sums = Vec::new();
            #[expect(
                unsafe_code,
                reason = "a function compiled for more than the build's processor is unsafe to call"
            )]
            // SAFETY: `Self::new` asserts that `fits` holds, and so that the processor has AVX-512.
            unsafe {
                forward_relu(x, weight, bias, y, &mut sums);
            }
        });
        Self {
            weight: weight.shallow_clone(),
            bias: bias.shallow_clone(),
            x,
            y,
        }
    }

    /// From the gradient of `y`.
    ///
    /// # Shapes
    /// `dy [R, out]`
    pub(crate) fn gradients(&self, dy: &Tensor) -> Gradients {
        let dy = dy.where_self(&self.y.detach().gt(0.0), &Tensor::from(0.0_f32)); // [R, out]
        let dy = dy.contiguous();
        let like = |tensor: &Tensor| Tensor::empty(tensor.size(), (Kind::Float, Device::Cpu));
        let (dweight, dx) = (like(&self.weight), like(&self.x));
        let n_out = self.bias.numel();
        with_memory([&dweight], [&dy, &self.x], |[dweight], [dy, x]| {
            #[expect(
                unsafe_code,
                reason = "a function compiled for more than the build's processor is unsafe to call"
            )]
            // SAFETY: a pass is made by `Self::new`, which asserts that the processor has AVX-512.
            unsafe {
                weight_gradient(dy, x, n_out, dweight);
            }
        });
        with_memory([&dx], [&dy, &self.weight], |[dx], [dy, weight]| {
            #[expect(
                unsafe_code,
                reason = "a function compiled for more than the build's processor is unsafe to call"
            )]
            // SAFETY: a pass is made by `Self::new`, which asserts that the processor has AVX-512.
            unsafe {
                input_gradient(dy, weight, n_out, dx);
            }
        });
        Gradients {
            weight: dweight,
            bias: dy.sum_dim_intlist([0].as_slice(), false, Kind::Float),
            x: dx,
        }
    }
}
