//! All parameters at once, as one vector (`one_piece`): how optimizers compute on other devices than the CPU, where an update of A2C's
//! ten parameters one by one is a hundred operations to start.

use tch::{Device, Tensor};

use super::tensors;
use crate::one_piece::{join, side_by_side, split};
use crate::params::load_tensors;
use crate::{Gradient, NnError, Params};

/// A state tensor for every parameter, of its shape and memory order and on its device.
#[derive(Debug)]
pub(super) struct Moments {
    /// Named `prefix.<parameter>`. On other devices than the CPU they are parts of `joined`.
    parts: Vec<(String, Tensor)>,
    joined: Option<Tensor>,
}

impl Moments {
    /// Those of `params`, each filled with `value`.
    pub(super) fn new(params: &Params, prefix: &str, value: f64) -> Self {
        if params.device() != Device::Cpu {
            return Self::one_vector(params, prefix, value);
        }
        let parts = detached(params).into_iter();
        let parts = parts.map(|param| param.full_like(value)).collect();
        Self {
            parts: named(params, prefix, parts),
            joined: None,
        }
    }

    /// The same as one vector, whatever the device.
    pub(super) fn one_vector(params: &Params, prefix: &str, value: f64) -> Self {
        let models = detached(params);
        let joined = join(&models).full_like(value);
        Self {
            parts: named(params, prefix, split(&joined, &models)),
            joined: Some(joined),
        }
    }

    /// With their names.
    pub(super) fn named(&self) -> impl Iterator<Item = (String, Tensor)> {
        let parts = self.parts.iter();
        parts.map(|(name, part)| (name.clone(), part.shallow_clone()))
    }

    /// One for each parameter.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Tensor> {
        self.parts.iter().map(|(_, part)| part)
    }

    /// All as one vector, on other devices than the CPU.
    pub(super) fn joined(&self) -> Option<Tensor> {
        self.joined.as_ref().map(Tensor::shallow_clone)
    }

    /// Takes back what [`Self::named`] gave.
    pub(super) fn load(&mut self, saved: &[(String, Tensor)]) -> Result<(), NnError> {
        load_tensors(&mut self.parts, saved)
    }
}

fn detached(params: &Params) -> Vec<Tensor> {
    params.iter().map(|(_, param)| param.detach()).collect()
}

fn named(params: &Params, prefix: &str, parts: Vec<Tensor>) -> Vec<(String, Tensor)> {
    let names = params.iter().map(|(name, _)| format!("{prefix}.{name}"));
    names.zip(parts).collect()
}

/// Takes from the parameters what `change` makes of the gradients, both as one vector.
pub(super) fn subtract(
    params: &Params,
    grads: &[Gradient],
    change: impl FnOnce(&Tensor) -> Tensor,
) {
    tch::no_grad(|| {
        let change = change(&join(&tensors(params, grads)));
        let params = detached(params);
        if let Some(mut all) = side_by_side(&params) {
            let _ = all.g_sub_(&change);
            return;
        }
        let parts = split(&change, &params);
        for (mut param, change) in params.into_iter().zip(parts) {
            let _ = param.g_sub_(&change);
        }
    });
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::super::handles;
    use super::*;

    /// One in row-major order, one turned.
    fn params() -> Params {
        let mut params = Params::new(Device::Cpu);
        let ramp = Tensor::arange(6, (Kind::Float, Device::Cpu));
        let _ = params.add("a", ramp.view([2, 3]));
        let _ = params.add("b", (ramp + 6.0).view([2, 3]).tr());
        params
    }

    #[test]
    fn each_parameter_loses_what_became_of_its_own_gradient() {
        check(&params());
        let mut in_one_piece = params();
        in_one_piece.lay_out();
        check(&in_one_piece);
    }

    fn check(params: &Params) {
        let before: Vec<Tensor> = params.tensors().iter().map(Tensor::copy).collect();
        // The second in another order than its parameter.
        let grads = [
            Tensor::full([2, 3], 1.0, (Kind::Float, Device::Cpu)),
            Tensor::arange(6, (Kind::Float, Device::Cpu)).view([3, 2]),
        ];
        subtract(params, &handles(&grads), |grad| grad * 2.0);
        for ((after, before), grad) in params.tensors().iter().zip(&before).zip(&grads) {
            assert_eq!(*after, before - grad * 2.0);
        }
    }
}
