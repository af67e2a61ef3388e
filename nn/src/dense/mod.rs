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
    weight: Tensor, // [out, in]
    bias: Tensor,   // [out]
    x: Tensor,      // [R, in]
    y: Tensor,      // [R, out]
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
        && weight.is_contiguous()
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
    ///
    /// # Panics
    /// Unless the weight [`fits`], or if `x` has other rows.
    pub(crate) fn new(weight: &Tensor, bias: &Tensor, x: &Tensor) -> Self {
        assert!(fits(weight), "a layer without a kernel");
        assert_eq!(
            x.size(),
            [x.size()[0], weight.size()[1]],
            "rows of another length"
        );
        let x = x.contiguous();
        let y = Tensor::empty([x.size()[0], bias.size()[0]], (Kind::Float, Device::Cpu));
        with_memory([&y], [&x, weight, bias], |[y], [x, weight, bias]| {
            let mut sums = Vec::new();
            #[expect(
                unsafe_code,
                reason = "a function compiled for more than the build's processor is unsafe to call"
            )]
            #[cfg_attr(
                not(target_arch = "x86_64"),
                expect(unused_unsafe, reason = "it is safe to call there, and never called")
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

    /// Weight and bias.
    pub(crate) fn params(&self) -> [&Tensor; 2] {
        [&self.weight, &self.bias]
    }

    /// What went in, `[R, in]`.
    pub(crate) fn x(&self) -> &Tensor {
        &self.x
    }

    /// What came out, `[R, out]`.
    pub(crate) fn y(&self) -> &Tensor {
        &self.y
    }

    /// From the gradient of what came out.
    ///
    /// # Shapes
    /// `dy [R, out]`
    pub(crate) fn gradients(&self, dy: &Tensor) -> Gradients {
        assert_eq!(dy.size(), self.y.size(), "the gradient of something else");
        // As libtorch's: where `y` is not a number, the gradient passes.
        let dy = Tensor::from(0.0_f32).where_self(&self.y.detach().le(0.0), dy); // [R, out]
        let dy = dy.contiguous();
        let like = |tensor: &Tensor| Tensor::empty(tensor.size(), (Kind::Float, Device::Cpu));
        let (dweight, dx) = (like(&self.weight), like(&self.x));
        let n_out = self.bias.numel();
        with_memory([&dweight], [&dy, &self.x], |[dweight], [dy, x]| {
            #[expect(
                unsafe_code,
                reason = "a function compiled for more than the build's processor is unsafe to call"
            )]
            #[cfg_attr(
                not(target_arch = "x86_64"),
                expect(unused_unsafe, reason = "it is safe to call there, and never called")
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
            #[cfg_attr(
                not(target_arch = "x86_64"),
                expect(unused_unsafe, reason = "it is safe to call there, and never called")
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
