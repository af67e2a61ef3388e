//! Clipping gradients by their global norm, in `TensorFlow`'s form (`tf.clip_by_global_norm`, which `OpenAI` Baselines' A2C
//! uses):
//!
//! ```text
//! norm  = sqrt(sum over all gradients of g^2)
//! scale = max_norm / max(norm, max_norm)
//! ```
//!
//! `PyTorch`'s `clip_grad_norm_` divides by `norm + 1e-6` instead, a relative difference of 1e-6 / norm where it clips.

use tch::{Kind, Tensor};

use crate::one_piece::join;
use crate::slices::with_slices;
use crate::vectors::on_widest_vectors;

/// The norm of all gradients as one vector. NaN or infinite if any element is.
pub fn global_norm(grads: &[Tensor]) -> f64 {
    let on_cpu: Option<Vec<f64>> = grads.iter().map(square_sum).collect();
    if let Some(sums) = on_cpu {
        return sums.iter().sum::<f64>().sqrt();
    }
    norm_of(grads).double_value(&[])
}

/// The same as a tensor \[\] on the gradients' device, summed in f32: nothing waits for it.
pub fn norm_of(grads: &[Tensor]) -> Tensor {
    let in_f32 = grads.iter().map(|grad| grad.detach().to_kind(Kind::Float));
    join(&in_f32.collect::<Vec<_>>()).norm()
}

/// What to multiply gradients of norm `norm` by, so that their norm is at most `max_norm`.
///
/// A norm that is not finite gives no usable scale: check it before the step.
pub fn clip_scale(norm: f64, max_norm: f64) -> f64 {
    max_norm / norm.max(max_norm)
}

/// Scales the gradients in place so that their global norm is at most `max_norm`; returns the norm they had.
///
/// The optimizers' `step_scaled` with [`clip_scale`] does the same without a pass of its own.
pub fn clip_by_global_norm(grads: &[Tensor], max_norm: f64) -> f64 {
    let norm = global_norm(grads);
    if norm > max_norm {
        let scale = clip_scale(norm, max_norm);
        for grad in grads {
            let _ = grad.detach().g_mul_scalar_(scale);
        }
    }
    norm
}

/// The sum of the squares, in f64, if the tensor is f32 on the CPU without holes.
pub(super) fn square_sum(tensor: &Tensor) -> Option<f64> {
    let mut total = 0.0;
    with_slices([], tensor, |[]: [&mut [f32]; 0], xs: &[f32]| {
        total = eightfold(xs);
    })
    .then_some(total)
}

/// The same of numbers at hand.
pub(super) fn square_sum_of(xs: &[f32]) -> f64 {
    let mut total = 0.0;
    on_widest_vectors(|| total = eightfold(xs));
    total
}

/// Eight sums, so that the loop is not one chain of additions; their order is fixed, so the result is.
#[expect(
    clippy::inline_always,
    reason = "it is compiled for the vectors of the function it is inlined into"
)]
#[inline(always)]
fn eightfold(xs: &[f32]) -> f64 {
    let (blocks, rest) = xs.as_chunks::<8>();
    let mut sums = [0.0_f64; 8];
    for block in blocks {
        for (sum, &x) in sums.iter_mut().zip(block) {
            *sum += f64::from(x) * f64::from(x);
        }
    }
    let rest: f64 = rest.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use tch::Device;

    use super::*;

    fn grads() -> Vec<Tensor> {
        vec![
            Tensor::from_slice(&[3.0_f32, 0.0]),
            Tensor::from_slice(&[4.0_f32]),
        ]
    }

    #[test]
    fn long_gradients_are_shortened_and_short_ones_kept() {
        let long = grads();
        assert_eq!(clip_by_global_norm(&long, 0.5), 5.0);
        assert!((global_norm(&long) - 0.5).abs() < 1e-7);
        assert!((long[1].double_value(&[0]) - 0.4).abs() < 1e-7);

        let short = grads();
        assert_eq!(clip_by_global_norm(&short, 5.0), 5.0);
        assert_eq!(short, grads());
    }

    #[test]
    fn zero_gradients_stay_zero() {
        let zeros = [Tensor::from_slice(&[0.0_f32; 3])];
        assert_eq!(clip_by_global_norm(&zeros, 0.5), 0.0);
        assert_eq!(clip_scale(0.0, 0.5), 1.0);
    }

    #[test]
    fn both_paths_give_one_norm() {
        let doubles: Vec<_> = grads().iter().map(|g| g.to_kind(Kind::Double)).collect();
        assert!((global_norm(&doubles) - 5.0).abs() < 1e-6);
    }

    #[test]
    fn an_element_that_is_not_finite_shows_in_the_norm() {
        for wrong in [f32::NAN, f32::INFINITY] {
            let grads = [Tensor::from_slice(&[1.0, wrong])];
            assert!(!global_norm(&grads).is_finite());
        }
    }

    #[test]
    fn squares_are_summed_at_every_remainder() {
        for n in 1..20 {
            let x = Tensor::arange(n, (Kind::Float, Device::Cpu));
            let expected: i64 = (0..n).map(|i| i * i).sum();
            assert_eq!(
                square_sum(&x),
                Some(f64::from(i32::try_from(expected).unwrap()))
            );
        }
    }
}
