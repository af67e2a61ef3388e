//! All parameters at once, as one vector: how optimizers compute on other devices than the CPU, where what takes time is not the
//! arithmetic but starting each operation (on an H100 in a virtual machine about 15 us; an update of A2C's ten parameters one by one is
//! a hundred of them).

use tch::{Device, Tensor};

use super::pair;
use crate::params::load_tensors;
use crate::slices::is_dense;
use crate::{NnError, Params};

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
        let parts = params
            .iter()
            .map(|(_, param)| param.detach().full_like(value));
        Self {
            parts: named(params, prefix, parts),
            joined: None,
        }
    }

    /// The same as one vector, whatever the device.
    pub(super) fn one_vector(params: &Params, prefix: &str, value: f64) -> Self {
        let joined = join(params.iter().map(|(_, param)| param.detach())).full_like(value);
        Self {
            parts: named(params, prefix, split(&joined, params)),
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

fn named(
    params: &Params,
    prefix: &str,
    parts: impl Iterator<Item = Tensor>,
) -> Vec<(String, Tensor)> {
    let names = params.iter().map(|(name, _)| format!("{prefix}.{name}"));
    names.zip(parts).collect()
}

/// Takes from the parameters what `change` makes of the gradients, both as one vector.
pub(super) fn subtract(params: &Params, grads: &[Tensor], change: impl FnOnce(&Tensor) -> Tensor) {
    tch::no_grad(|| {
        let change = change(&join(pair(params, grads).map(|(_, grad)| grad)));
        for ((_, param), change) in params.iter().zip(split(&change, params)) {
            let _ = param.shallow_clone().g_sub_(&change);
        }
    });
}

/// The elements of all tensors, each in the order in which they lie in memory.
pub(super) fn join(tensors: impl Iterator<Item = Tensor>) -> Tensor {
    let flat = tensors.map(|tensor| {
        if is_dense(&tensor) {
            let n = i64::try_from(tensor.numel()).expect("a tensor fits in memory");
            tensor.as_strided([n], [1], None)
        } else {
            tensor.flatten(0, -1)
        }
    });
    Tensor::cat(&flat.collect::<Vec<_>>(), 0)
}

/// The parts of a vector that [`join`] makes of the parameters, shaped as these are.
fn split<'a>(joined: &'a Tensor, params: &'a Params) -> impl Iterator<Item = Tensor> + 'a {
    let mut start = 0;
    params.iter().map(move |(_, param)| {
        let part = joined.as_strided(param.size(), param.stride(), start);
        start += i64::try_from(param.numel()).expect("a tensor fits in memory");
        part
    })
}

#[cfg(test)]
mod tests {
    use tch::Kind;

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
    fn what_is_joined_lies_in_memory_order_and_comes_apart_as_it_was() {
        let params = params();
        let joined = join(params.iter().map(|(_, param)| param.detach()));
        let expected: Vec<f32> = (0..12_u8).map(f32::from).collect();
        assert_eq!(Vec::<f32>::try_from(&joined).unwrap(), expected);
        for ((_, param), part) in params.iter().zip(split(&joined, &params)) {
            assert_eq!((part.size(), part.stride()), (param.size(), param.stride()));
            assert_eq!(part, *param);
        }
    }

    #[test]
    fn each_parameter_loses_what_became_of_its_own_gradient() {
        let params = params();
        let before: Vec<Tensor> = params.tensors().iter().map(Tensor::copy).collect();
        // The second in another order than its parameter.
        let grads = [
            Tensor::full([2, 3], 1.0, (Kind::Float, Device::Cpu)),
            Tensor::arange(6, (Kind::Float, Device::Cpu)).view([3, 2]),
        ];
        subtract(&params, &grads, |grad| grad * 2.0);
        for ((after, before), grad) in params.tensors().iter().zip(&before).zip(&grads) {
            assert_eq!(*after, before - grad * 2.0);
        }
    }

    #[test]
    fn what_has_holes_is_joined_as_well() {
        let column = Tensor::arange(4, (Kind::Float, Device::Cpu))
            .view([2, 2])
            .narrow(1, 0, 1);
        let joined = join([column].into_iter());
        assert_eq!(Vec::<f32>::try_from(&joined).unwrap(), [0.0, 2.0]);
    }
}
