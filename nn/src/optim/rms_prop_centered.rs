//! Centred `RMSProp` (Graves 2013, arXiv 1308.0850, equations 38 to 40), as `DeepMind`'s code of Mnih et al. 2015 has it
//! (`dqn/NeuralQLearner.lua`) and `dqn_zoo` after it (`optax.rmsprop(centered=True)`):
//!
//! ```text
//! m  <- decay * m  + (1 - decay) * g          m, ms start at 0
//! ms <- decay * ms + (1 - decay) * g^2
//! w  <- w - lr * g / sqrt(max(ms - m^2, 0) + epsilon)
//! ```
//!
//! Graves' equation 41 adds momentum 0.9; that code does not: the "gradient momentum" 0.95 in the table of Mnih et al. is
//! the decay of m. The max is ours: rounding may leave a variance below 0, which a small epsilon does not lift.

use tch::Tensor;

use super::joined::{Moments, subtract};
use super::{f32_of, handles, in_one_pass, pair, without_subnormals};
use crate::params::load_tensors;
use crate::{Gradient, NnError, Params};

/// The constants of centred `RMSProp`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsPropCenteredConfig {
    /// How much of the mean gradient and of the mean square is kept at an update, in [0, 1).
    pub decay: f64,
    /// What is added to the variance under the root.
    pub epsilon: f64,
}

/// Centred `RMSProp` with its means and mean squares.
#[derive(Debug)]
pub struct RmsPropCentered {
    config: RmsPropCenteredConfig,
    means: Moments,
    mean_squares: Moments,
}

/// One update's constants, rounded to the weights' precision.
#[derive(Clone, Copy, Debug)]
struct Coefs {
    decay: f32,
    one_minus_decay: f32,
    epsilon: f32,
    lr: f32,
    grad_scale: f32,
}

impl RmsPropCentered {
    /// An optimizer of `params`, means and mean squares 0.
    pub fn new(config: RmsPropCenteredConfig, params: &Params) -> Self {
        Self {
            config,
            means: Moments::new(params, "mean", 0.0),
            mean_squares: Moments::new(params, "mean_square", 0.0),
        }
    }

    /// One update with learning rate `lr`.
    ///
    /// # Panics
    /// If the gradients are not those of `params`, one each in its order.
    pub fn step(&mut self, params: &Params, grads: &[Tensor], lr: f64) {
        self.step_scaled(params, &handles(grads), lr, 1.0);
    }

    /// One update with every gradient multiplied by `grad_scale`, as clipping wants it.
    ///
    /// # Panics
    /// As [`Self::step`].
    pub fn step_scaled(&mut self, params: &Params, grads: &[Gradient], lr: f64, grad_scale: f64) {
        let coefs = Coefs {
            decay: f32_of(self.config.decay),
            one_minus_decay: f32_of(1.0 - self.config.decay),
            epsilon: f32_of(self.config.epsilon),
            lr: f32_of(lr),
            grad_scale: f32_of(grad_scale),
        };
        if let (Some(means), Some(squares)) = (self.means.joined(), self.mean_squares.joined()) {
            subtract(params, grads, |grad| change(means, squares, grad, coefs));
        } else {
            let moments = self.means.parts().zip(self.mean_squares.parts());
            for ((param, grad), (mean, square)) in pair(params, grads).zip(moments) {
                in_one_pass([param, mean, square], &grad, |[w, m, ms], g| {
                    update_slices(w, m, ms, g, coefs);
                });
            }
        }
        params.round();
    }

    /// `mean.<parameter>` for all, then `mean_square.<parameter>`.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.means
            .named()
            .chain(self.mean_squares.named())
            .collect()
    }

    /// Goes on from a saved [`Self::state`].
    ///
    /// # Errors
    /// If a name or a shape differs; then nothing was changed.
    pub fn load_state(&mut self, saved: &[(String, Tensor)]) -> Result<(), NnError> {
        load_tensors(&mut self.state(), saved)
    }
}

/// The update in one pass over memory.
#[expect(
    clippy::inline_always,
    reason = "it is compiled for the vectors of the function it is inlined into"
)]
#[inline(always)]
fn update_slices(weights: &mut [f32], m: &mut [f32], ms: &mut [f32], grads: &[f32], c: Coefs) {
    for (((weight, m), ms), grad) in weights.iter_mut().zip(m).zip(ms).zip(grads) {
        let grad = grad * c.grad_scale;
        *m = without_subnormals(c.decay * *m + c.one_minus_decay * grad);
        *ms = without_subnormals(c.decay * *ms + c.one_minus_decay * (grad * grad));
        let variance = (*ms - *m * *m).max(0.0);
        *weight -= c.lr * (grad / (variance + c.epsilon).sqrt());
    }
}

/// What is taken from the weights, in tensor operations: any shape, any device.
fn change(mut m: Tensor, mut ms: Tensor, grad: &Tensor, c: Coefs) -> Tensor {
    let as_f64 = |x: f32| f64::from(x);
    let grad = grad * as_f64(c.grad_scale);
    let _ = m.g_mul_scalar_(as_f64(c.decay));
    let _ = m.g_add_(&(&grad * as_f64(c.one_minus_decay)));
    let _ = ms.g_mul_scalar_(as_f64(c.decay));
    let _ = ms.g_add_(&(grad.square() * as_f64(c.one_minus_decay)));
    let variance = (ms - m.square()).clamp_min(0.0);
    let root = (variance + as_f64(c.epsilon)).sqrt();
    grad / root * as_f64(c.lr)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    const CONFIG: RmsPropCenteredConfig = RmsPropCenteredConfig {
        decay: 0.95,
        epsilon: 1e-5,
    };

    fn params() -> Params {
        let mut params = Params::new(Device::Cpu);
        let _ = params.add("w", Tensor::from_slice(&[1.0_f32, -2.0, 3.0]));
        params
    }

    fn grads(step: i32) -> Vec<Tensor> {
        vec![Tensor::arange(3, (Kind::Float, Device::Cpu)) - 0.7 * f64::from(step % 3) + 0.1]
    }

    #[test]
    fn the_first_update_is_the_formula() {
        let params = params();
        RmsPropCentered::new(CONFIG, &params).step(&params, &grads(0), 0.01);
        let (g, w) = (2.1_f64, 3.0_f64); // element [2]
        let variance = 0.05 * g * g - (0.05 * g).powi(2);
        let expected = w - 0.01 * g / (variance + 1e-5).sqrt();
        let got = params.tensors()[0].double_value(&[2]);
        assert!((got - expected).abs() < 1e-6, "{got} {expected}");
    }

    #[test]
    fn one_pass_and_tensor_operations_agree_to_rounding() {
        let (fused, plain) = (params(), params());
        let mut optimizer = RmsPropCentered::new(CONFIG, &fused);
        let mut twin = RmsPropCentered {
            config: CONFIG,
            means: Moments::one_vector(&plain, "mean", 0.0),
            mean_squares: Moments::one_vector(&plain, "mean_square", 0.0),
        };
        for step in 0..10 {
            optimizer.step_scaled(&fused, &handles(&grads(step)), 0.1, 0.5);
            twin.step_scaled(&plain, &handles(&grads(step)), 0.1, 0.5);
        }
        for (got, expected) in fused.tensors().iter().zip(plain.tensors()) {
            assert!(
                got.allclose(&expected, 1e-5, 1e-6, false),
                "{got} {expected}"
            );
        }
        for ((_, got), (_, expected)) in optimizer.state().iter().zip(twin.state()) {
            assert!(
                got.allclose(&expected, 1e-5, 1e-7, false),
                "{got} {expected}"
            );
        }
    }

    /// A gradient that stands still has no variance, and rounding puts some of these below 0.
    #[test]
    fn a_gradient_that_never_changes_moves_the_weight_by_a_finite_amount() {
        let mut params = Params::new(Device::Cpu);
        let _ = params.add("w", Tensor::zeros([64], (Kind::Float, Device::Cpu)));
        let config = RmsPropCenteredConfig {
            decay: 0.5,
            epsilon: 1e-12,
        };
        let mut optimizer = RmsPropCentered::new(config, &params);
        let grad = Tensor::arange(64, (Kind::Float, Device::Cpu)) * 0.37 + 100.0;
        for _ in 0..60 {
            optimizer.step(&params, &[grad.shallow_clone()], 1e-6);
        }
        assert!(params.tensors()[0].isfinite().all().int64_value(&[]) == 1);
    }

    #[test]
    fn a_resumed_optimizer_goes_on_bit_for_bit() {
        let (whole, halves) = (params(), params());
        let mut optimizer = RmsPropCentered::new(CONFIG, &whole);
        let mut first = RmsPropCentered::new(CONFIG, &halves);
        for step in 0..3 {
            optimizer.step(&whole, &grads(step), 0.1);
            first.step(&halves, &grads(step), 0.1);
        }
        let mut second = RmsPropCentered::new(CONFIG, &halves);
        second.load_state(&first.state()).unwrap();
        for step in 3..6 {
            optimizer.step(&whole, &grads(step), 0.1);
            second.step(&halves, &grads(step), 0.1);
        }
        assert_eq!(whole.tensors(), halves.tensors());
    }

    #[test]
    fn a_state_of_another_optimizer_is_refused() {
        let mut optimizer = RmsPropCentered::new(CONFIG, &params());
        let saved = optimizer.state().split_off(1);
        let message = optimizer.load_state(&saved).unwrap_err().to_string();
        assert_eq!(message, "expected 2 saved tensors, got 1");
    }
}
