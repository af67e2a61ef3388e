//! Adam (Kingma and Ba 2015), in both of the paper's forms, which [`EpsilonForm`] tells apart:
//!
//! ```text
//! m <- beta1 * m + (1 - beta1) * g            m, v start at 0
//! v <- beta2 * v + (1 - beta2) * g^2
//! w <- w - lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon)           AfterCorrection
//! w <- w - lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)       BeforeCorrection
//! ```
//!
//! The second is the first with epsilon divided by `sqrt(1 - beta2^t)`, and is computed so: the two differ in the first
//! updates, and where the gradient is as small as epsilon.

use tch::Tensor;

use super::joined::{Moments, subtract};
use super::{f32_of, handles, in_one_pass, pair, without_subnormals};
use crate::params::load_tensors;
use crate::{Gradient, NnError, Params};

/// The constants of Adam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamConfig {
    /// How much of the mean gradient is kept at an update, in [0, 1).
    pub beta1: f64,
    /// How much of the mean square is kept at an update, in [0, 1).
    pub beta2: f64,
    /// What is added to the root.
    pub epsilon: f64,
    /// To which root it is added.
    pub epsilon_form: EpsilonForm,
}

/// Where epsilon is added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpsilonForm {
    /// To the corrected root: algorithm 1 of the paper, and `PyTorch`.
    AfterCorrection,
    /// To the root as it is: the end of the paper's section 2 ("epsilon hat"), and `TensorFlow` 1.
    BeforeCorrection,
}

/// Adam with its moments.
#[derive(Debug)]
pub struct Adam {
    config: AdamConfig,
    n_updates: i64,
    means: Moments,
    mean_squares: Moments,
}

/// One update's constants, rounded to the weights' precision.
#[derive(Clone, Copy, Debug)]
struct Coefs {
    beta1: f32,
    one_minus_beta1: f32,
    beta2: f32,
    one_minus_beta2: f32,
    /// lr / (1 - beta1^t)
    corrected_lr: f32,
    /// 1 / sqrt(1 - beta2^t)
    root_scale: f32,
    /// Epsilon as it is added to the corrected root.
    epsilon: f32,
    grad_scale: f32,
}

impl Adam {
    /// An optimizer of `params`, moments 0.
    pub fn new(config: AdamConfig, params: &Params) -> Self {
        Self {
            config,
            n_updates: 0,
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
        self.n_updates += 1;
        let coefs = self.coefs(lr, grad_scale);
        if let (Some(means), Some(squares)) = (self.means.joined(), self.mean_squares.joined()) {
            subtract(params, grads, |grad| change(means, squares, grad, coefs));
        } else {
            let moments = self.means.parts().zip(self.mean_squares.parts());
            for ((param, grad), (mean, square)) in pair(params, grads).zip(moments) {
                in_one_pass([param, mean, square], &grad, |[w, m, v], g| {
                    update_slices(w, m, v, g, coefs);
                });
            }
        }
        params.round();
    }

    fn coefs(&self, lr: f64, grad_scale: f64) -> Coefs {
        let AdamConfig {
            beta1,
            beta2,
            epsilon,
            epsilon_form,
        } = self.config;
        let power = i32::try_from(self.n_updates).unwrap_or(i32::MAX); // beta^(2^31) is 0 already
        let root_scale = 1.0 / (1.0 - beta2.powi(power)).sqrt();
        let epsilon = match epsilon_form {
            EpsilonForm::AfterCorrection => epsilon,
            EpsilonForm::BeforeCorrection => epsilon * root_scale,
        };
        Coefs {
            beta1: f32_of(beta1),
            one_minus_beta1: f32_of(1.0 - beta1),
            beta2: f32_of(beta2),
            one_minus_beta2: f32_of(1.0 - beta2),
            corrected_lr: f32_of(lr / (1.0 - beta1.powi(power))),
            root_scale: f32_of(root_scale),
            epsilon: f32_of(epsilon),
            grad_scale: f32_of(grad_scale),
        }
    }

    /// The number of updates (`n_updates`, i64 `[1]`), then `mean.<parameter>` for all, then `mean_square.<parameter>`.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let count = (
            "n_updates".to_owned(),
            Tensor::from_slice(&[self.n_updates]),
        );
        let moments = self.means.named().chain(self.mean_squares.named());
        std::iter::once(count).chain(moments).collect()
    }

    /// Goes on from a saved [`Self::state`].
    ///
    /// # Errors
    /// If a name or a shape differs; then nothing was changed.
    pub fn load_state(&mut self, saved: &[(String, Tensor)]) -> Result<(), NnError> {
        let mut state = self.state();
        load_tensors(&mut state, saved)?;
        self.n_updates = state[0].1.int64_value(&[0]);
        Ok(())
    }
}

/// The update in one pass over memory.
#[expect(
    clippy::inline_always,
    reason = "it is compiled for the vectors of the function it is inlined into"
)]
#[inline(always)]
fn update_slices(weights: &mut [f32], m: &mut [f32], v: &mut [f32], grads: &[f32], c: Coefs) {
    for (((weight, m), v), grad) in weights.iter_mut().zip(m).zip(v).zip(grads) {
        let grad = grad * c.grad_scale;
        *m = without_subnormals(c.beta1 * *m + c.one_minus_beta1 * grad);
        *v = without_subnormals(c.beta2 * *v + c.one_minus_beta2 * (grad * grad));
        *weight -= c.corrected_lr * (*m / (v.sqrt() * c.root_scale + c.epsilon));
    }
}

/// What is taken from the weights, in tensor operations: any shape, any device.
fn change(mut m: Tensor, mut v: Tensor, grad: &Tensor, c: Coefs) -> Tensor {
    let as_f64 = |x: f32| f64::from(x);
    let grad = grad * as_f64(c.grad_scale);
    let _ = m.g_mul_scalar_(as_f64(c.beta1));
    let _ = m.g_add_(&(&grad * as_f64(c.one_minus_beta1)));
    let _ = v.g_mul_scalar_(as_f64(c.beta2));
    let _ = v.g_add_(&(grad.square() * as_f64(c.one_minus_beta2)));
    let root = v.sqrt() * as_f64(c.root_scale) + as_f64(c.epsilon);
    m / root * as_f64(c.corrected_lr)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    const CONFIG: AdamConfig = AdamConfig {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        epsilon_form: EpsilonForm::AfterCorrection,
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
    fn the_first_update_is_the_learning_rate_whatever_the_gradient() {
        let params = params();
        Adam::new(CONFIG, &params).step(&params, &grads(0), 0.01);
        let moved = params.tensors()[0].detach() - Tensor::from_slice(&[1.0_f32, -2.0, 3.0]);
        assert!((moved + 0.01).abs().max().double_value(&[]) < 1e-6);
    }

    #[test]
    fn one_pass_and_tensor_operations_agree_to_rounding() {
        let (fused, plain) = (params(), params());
        let mut optimizer = Adam::new(CONFIG, &fused);
        let mut twin = Adam {
            config: CONFIG,
            n_updates: 0,
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

    #[test]
    fn a_resumed_optimizer_goes_on_bit_for_bit() {
        let (whole, halves) = (params(), params());
        let mut optimizer = Adam::new(CONFIG, &whole);
        let mut first = Adam::new(CONFIG, &halves);
        for step in 0..3 {
            optimizer.step(&whole, &grads(step), 0.1);
            first.step(&halves, &grads(step), 0.1);
        }
        let mut second = Adam::new(CONFIG, &halves);
        second.load_state(&first.state()).unwrap();
        for step in 3..6 {
            optimizer.step(&whole, &grads(step), 0.1);
            second.step(&halves, &grads(step), 0.1);
        }
        assert_eq!(whole.tensors(), halves.tensors());
        assert_eq!(second.state()[0].1.int64_value(&[0]), 6);
    }

    #[test]
    fn a_state_of_another_optimizer_is_refused() {
        let mut optimizer = Adam::new(CONFIG, &params());
        let saved = optimizer.state().split_off(1);
        let message = optimizer.load_state(&saved).unwrap_err().to_string();
        assert_eq!(message, "expected 3 saved tensors, got 2");
    }
}
