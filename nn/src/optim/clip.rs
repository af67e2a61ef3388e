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

/// The norm of all gradients as one vector, a tensor \[\] on their device, summed in f32: nothing waits for it.
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

/// The sum of the squares, in f64, if the tensor is f32 on the CPU without holes.
pub(super) fn square_sum(tensor: &Tensor) -> Option<f64> {
    let mut total = 0.0;
    with_slices([], tensor, |[]: [&mut [f32]; 0], xs: &[f32]| {
        total = eightfold(xs);
    })
    .then_some(total)
}

/// The same of numbers at hand.
pub(super) fn square_sum_of_piece(xs: &[f32]) -> f64 {
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
    use crate::optim::{handles, summed};

    fn grads() -> Vec<Tensor> {
        vec![
            Tensor::from_slice(&[3.0_f32, 0.0]),
            Tensor::from_slice(&[4.0_f32]),
        ]
    }

    fn norm(grads: &[Tensor]) -> f64 {
        summed(vec![handles(grads)]).norm
    }

    #[test]
    fn long_gradients_are_shortened_and_short_ones_kept() {
        let norm = norm(&grads());
        assert_eq!(norm, 5.0);
        assert_eq!((clip_scale(norm, 0.5), clip_scale(norm, 5.0)), (0.1, 1.0));
    }

    #[test]
    fn zero_gradients_stay_zero() {
        assert_eq!(norm(&[Tensor::from_slice(&[0.0_f32; 3])]), 0.0);
        assert_eq!(clip_scale(0.0, 0.5), 1.0);
    }

    #[test]
    fn both_paths_give_one_norm() {
        let doubles: Vec<_> = grads().iter().map(|g| g.to_kind(Kind::Double)).collect();
        assert!((norm(&doubles) - 5.0).abs() < 1e-6);
    }

    #[test]
    fn an_element_that_is_not_finite_shows_in_the_norm() {
        for wrong in [f32::NAN, f32::INFINITY] {
            assert!(!norm(&[Tensor::from_slice(&[1.0, wrong])]).is_finite());
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
