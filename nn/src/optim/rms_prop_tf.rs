//! `RMSProp` in `TensorFlow` 1's form (`tf.train.RMSPropOptimizer`, not centred, no momentum), which A2C of `OpenAI` Baselines
//! was tuned with:
//!
//! ```text
//! ms <- decay * ms + (1 - decay) * g^2        ms starts at 1
//! w  <- w - lr * g / sqrt(ms + epsilon)
//! ```
//!
//! `PyTorch`'s starts at 0 and adds epsilon outside the root. With epsilon 1e-5 that is a floor of 1e-5 under the root's
//! value instead of 3e-3, and hundred-fold larger first updates: A2C learns differently (Stable-Baselines3, pull request
//! 110).

use tch::Tensor;

use super::joined::{Moments, subtract};
use super::{f32_of, handles, in_one_pass, pair, without_subnormals};
use crate::{Gradient, NnError, Params};

/// The constants of `RMSProp`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsPropTfConfig {
    /// How much of the mean square is kept at an update, in [0, 1).
    pub decay: f64,
    /// What is added to the mean square under the root.
    pub epsilon: f64,
}

/// `RMSProp` with its mean squares.
#[derive(Debug)]
pub struct RmsPropTf {
    config: RmsPropTfConfig,
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

impl RmsPropTf {
    /// An optimizer of `params`, mean squares 1.
    pub fn new(config: RmsPropTfConfig, params: &Params) -> Self {
        Self {
            config,
            mean_squares: Moments::new(params, "mean_square", 1.0),
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
        if let Some(mean_squares) = self.mean_squares.joined() {
            subtract(params, grads, |grad| change(mean_squares, grad, coefs));
        } else {
            let pairs = pair(params, grads).zip(self.mean_squares.parts());
            for ((param, grad), mean_square) in pairs {
                in_one_pass([param, mean_square], &grad, |[weights, squares], grads| {
                    update_slices(weights, squares, grads, coefs);
                });
            }
        }
        params.round();
    }

    /// The mean squares, named `mean_square.<parameter>`.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.mean_squares.named().collect()
    }

    /// Goes on from a saved [`Self::state`].
    ///
    /// # Errors
    /// If a name or a shape differs; then nothing was changed.
    pub fn load_state(&mut self, saved: &[(String, Tensor)]) -> Result<(), NnError> {
        self.mean_squares.load(saved)
    }
}

/// The update in one pass over memory.
#[expect(
    clippy::inline_always,
    reason = "it is compiled for the vectors of the function it is inlined into"
)]
#[inline(always)]
fn update_slices(weights: &mut [f32], squares: &mut [f32], grads: &[f32], coefs: Coefs) {
    for ((weight, square), grad) in weights.iter_mut().zip(squares).zip(grads) {
        let grad = grad * coefs.grad_scale;
        let sum = coefs.decay * *square + coefs.one_minus_decay * (grad * grad);
        *square = without_subnormals(sum);
        *weight -= coefs.lr * (grad / (*square + coefs.epsilon).sqrt());
    }
}

/// What is taken from the weights, in tensor operations: any shape, any device.
fn change(mut mean_square: Tensor, grad: &Tensor, coefs: Coefs) -> Tensor {
    let as_f64 = |x: f32| f64::from(x);
    let grad = grad * as_f64(coefs.grad_scale);
    let _ = mean_square.g_mul_scalar_(as_f64(coefs.decay));
    let _ = mean_square.g_add_(&(grad.square() * as_f64(coefs.one_minus_decay)));
    let root = (mean_square + as_f64(coefs.epsilon)).sqrt();
    grad / root * as_f64(coefs.lr)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    const CONFIG: RmsPropTfConfig = RmsPropTfConfig {
        decay: 0.99,
        epsilon: 1e-5,
    };

    fn params() -> Params {
        let mut params = Params::new(Device::Cpu);
        let _ = params.add(
            "w",
            Tensor::from_slice(&[1.0_f32, -2.0, 3.0, 0.5]).view([2, 2]),
        );
        let _ = params.add("b", Tensor::from_slice(&[0.25_f32]));
        params
    }

    fn grads(step: i32) -> Vec<Tensor> {
        let w =
            Tensor::arange(4, (Kind::Float, Device::Cpu)).view([2, 2]) - 1.5 * f64::from(step % 3);
        vec![w, Tensor::from_slice(&[-0.01_f32])]
    }

    #[test]
    fn the_first_update_is_the_formula() {
        let params = params();
        RmsPropTf::new(CONFIG, &params).step(&params, &grads(0), 7e-4);
        let (g, w) = (2.0_f64, 3.0_f64); // element [1, 0]
        let expected = w - 7e-4 * g / (0.99 + 0.01 * g * g + 1e-5).sqrt();
        let got = params.tensors()[0].double_value(&[1, 0]);
        assert!((got - expected).abs() < 1e-6, "{got} {expected}");
    }

    #[test]
    fn one_pass_and_tensor_operations_agree_to_rounding() {
        let (fused, plain) = (params(), params());
        let mut optimizer = RmsPropTf::new(CONFIG, &fused);
        let mut twin = RmsPropTf {
            config: CONFIG,
            mean_squares: Moments::one_vector(&plain, "mean_square", 1.0),
        };
        for step in 0..10 {
            optimizer.step_scaled(&fused, &handles(&grads(step)), 0.1, 0.5);
            twin.step_scaled(&plain, &handles(&grads(step)), 0.1, 0.5);
        }
        for (got, expected) in fused.tensors().iter().zip(plain.tensors()) {
            assert!(
                got.allclose(&expected, 1e-5, 1e-7, false),
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
    fn a_scale_is_the_same_as_scaled_gradients() {
        let (scaled, plain) = (params(), params());
        RmsPropTf::new(CONFIG, &scaled).step_scaled(&scaled, &handles(&grads(1)), 0.1, 0.25);
        let quarter: Vec<_> = grads(1).iter().map(|g| g * 0.25).collect();
        RmsPropTf::new(CONFIG, &plain).step(&plain, &quarter, 0.1);
        assert_eq!(scaled.tensors(), plain.tensors());
    }

    #[test]
    fn a_gradient_in_another_memory_order_is_the_same_gradient() {
        let (a, b) = (params(), params());
        RmsPropTf::new(CONFIG, &a).step(&a, &grads(1), 0.1);
        let mut turned = grads(1);
        turned[0] = turned[0].tr().contiguous().tr();
        RmsPropTf::new(CONFIG, &b).step(&b, &turned, 0.1);
        assert_eq!(a.tensors(), b.tensors());
    }

    #[test]
    fn a_resumed_optimizer_goes_on_bit_for_bit() {
        let (whole, halves) = (params(), params());
        let mut optimizer = RmsPropTf::new(CONFIG, &whole);
        let mut first = RmsPropTf::new(CONFIG, &halves);
        for step in 0..3 {
            optimizer.step(&whole, &grads(step), 0.1);
            first.step(&halves, &grads(step), 0.1);
        }
        let mut second = RmsPropTf::new(CONFIG, &halves);
        second.load_state(&first.state()).unwrap();
        for step in 3..6 {
            optimizer.step(&whole, &grads(step), 0.1);
            second.step(&halves, &grads(step), 0.1);
        }
        assert_eq!(whole.tensors(), halves.tensors());
    }

    #[test]
    fn a_foreign_state_is_refused() {
        let mut optimizer = RmsPropTf::new(CONFIG, &params());
        let mut saved = optimizer.state();
        saved[1].0 = "m.b".to_owned();
        let message = optimizer.load_state(&saved).unwrap_err().to_string();
        assert_eq!(
            message,
            "expected the saved tensor \"mean_square.b\", got \"m.b\""
        );
    }

    #[test]
    #[should_panic(expected = "the shape of w's gradient")]
    fn gradients_of_other_parameters_are_refused() {
        let params = params();
        let mut wrong = grads(0);
        wrong.reverse();
        RmsPropTf::new(CONFIG, &params).step(&params, &wrong, 0.1);
    }
}
